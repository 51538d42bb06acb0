import { mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { ContainerState, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import { failure, hasCode } from '../../../base/errors.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne } from '../find.ts';
import { listContainers, listPods, type FoundContainer, type FoundPod } from '../inventory.ts';
import { say } from '../io.ts';

const usualTimeoutMs = 600_000;
/** What the call may take beyond the time that the daemon is given: it has to be able to say that it was too long. */
const answerMs = 30_000;

export const checkpoint: Command = {
  name: 'checkpoint',
  summary: 'write a running container, or all of a pod, to files, and let it run on',
  usage: 'gantry checkpoint [flags] NAME PATH',
  details: [
    'A container becomes an archive at PATH, which checkpointctl can look into; a pod a directory, made if it is not there, whose containers',
    'are all of one moment. The files hold all memory of the processes, secrets too. It needs CRIU; `gantry info` says whether it works here.',
  ].join('\n'),
  flags: [{ name: 'timeout', value: 'DURATION', help: 'give up after this time (default 10m)' }],
  operands: ['NAME', 'PATH'],
  examples: ['gantry checkpoint web/client /var/tmp/client.tar', 'gantry checkpoint default/web /var/tmp/web'],

  async run(args, { io, connect }) {
    const timeoutMs = args.durationMs('timeout') ?? usualTimeoutMs;
    const [word, target] = [args.operands[0]!, path.resolve(args.operands[1]!)];
    const cri = await connect();
    const [pods, containers] = await Promise.all([listPods(cri), listContainers(cri)]);
    const found = findOne<FoundPod | FoundContainer>(word, [...pods, ...containers.map((one) => ({ ...one, aliases: [] }))], 'checkpoint');
    if (found.kind === 'pod') await checkpointPod(cri, found, { containers, target, timeoutMs });
    else await checkpointContainer(cri, found, { target, timeoutMs });
    await say(io, target);
    return 0;
  },
};

async function checkpointContainer(cri: CriClient, found: FoundContainer, { target, timeoutMs }: { target: string; timeoutMs: number }): Promise<void> {
  const timeout = BigInt(Math.max(1, Math.ceil(timeoutMs / 1000)));
  await cri.call(runtime.checkpointContainer, { containerId: found.id, location: target, timeout }, { act: 'checkpoint container', object: found.title, deadlineMs: timeoutMs + answerMs });
}

interface PodTarget {
  readonly containers: readonly FoundContainer[];
  readonly target: string;
  readonly timeoutMs: number;
}

/** A directory that was made for it goes when the checkpoint fails. */
async function checkpointPod(cri: CriClient, found: FoundPod, { containers, target, timeoutMs }: PodTarget): Promise<void> {
  const running = containers.filter(({ container }) => container.podSandboxId === found.id && container.state === ContainerState.CONTAINER_RUNNING);
  if (running.length === 0) throw failure('failed-precondition', { act: 'checkpoint pod', object: found.title, why: 'none of its containers runs' });
  const made = await makeDirectory(target);
  try {
    const request = { podSandboxId: found.id, outputPath: target, containerIds: running.map(({ id }) => id), options: {} };
    await cri.call(runtime.checkpointPod, request, { act: 'checkpoint pod', object: found.title, deadlineMs: timeoutMs });
  } catch (error) {
    if (made) await rmdir(target).catch(() => {}); // something is in it: then it stays for a look
    throw error;
  }
}

/** Whether it was not there before. */
async function makeDirectory(target: string): Promise<boolean> {
  try {
    await mkdir(target, { mode: 0o700 });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw failure('failed-precondition', { act: 'make directory', object: target, cause: error });
  }
}
