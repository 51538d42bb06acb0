import { ContainerState, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import { messageOf } from '../../../base/errors.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne } from '../find.ts';
import { listContainers, listPods, type FoundContainer, type FoundPod } from '../inventory.ts';
import { printable, say, write } from '../io.ts';

export const stop: Command = {
  name: 'stop',
  summary: 'stop containers, or pods with all their containers',
  usage: 'gantry stop [flags] NAME…',
  details: 'A container gets its stop signal, and after the grace period it is killed. Stopping what is stopped already is no error.',
  flags: [{ name: 'timeout', short: 't', value: 'DURATION', help: "grace period (default: the pod's own, or 10s)" }],
  operands: ['NAME'],
  many: true,
  examples: ['gantry stop web/client', 'gantry stop --timeout 0 default/web'],

  async run(args, { io, connect }) {
    const timeoutMs = args.durationMs('timeout');
    const cri = await connect();
    const [pods, containers] = await Promise.all([listPods(cri), listContainers(cri)]);
    let code = 0;
    for (const word of args.operands) {
      try {
        const found = findOne<FoundPod | FoundContainer>(word, [...pods, ...containers.map((one) => ({ ...one, aliases: [] }))], 'stop');
        const inside = containers.filter((one) => one.id === found.id || one.container.podSandboxId === found.id);
        await Promise.all(inside.map((one) => stopContainer(cri, one, timeoutMs)));
        if (found.kind === 'pod') await stopPod(cri, found);
        await say(io, word);
      } catch (error) {
        code = 1;
        await write(io.stderr, `${printable(`gantry stop: ${messageOf(error)}`)}\n`);
      }
    }
    return code;
  },
};

/** Stops a container that runs. The grace period is `timeoutMs`, else what its pod asked for, else 10 s. */
export async function stopContainer(cri: CriClient, found: FoundContainer, timeoutMs: number | undefined): Promise<void> {
  if (found.container.state === ContainerState.CONTAINER_EXITED) return;
  const asked = Number(found.container.annotations['io.kubernetes.pod.terminationGracePeriod'] ?? NaN);
  const seconds = timeoutMs === undefined ? (Number.isInteger(asked) && asked >= 0 ? asked : 10) : Math.ceil(timeoutMs / 1000);
  await cri.call(
    runtime.stopContainer,
    { containerId: found.id, timeout: BigInt(seconds) },
    { act: 'stop container', object: found.title, deadlineMs: seconds * 1000 + 120_000 },
  );
}

export async function stopPod(cri: CriClient, found: FoundPod): Promise<void> {
  await cri.call(runtime.stopPodSandbox, { podSandboxId: found.id }, { act: 'stop pod', object: found.title, deadlineMs: 120_000 });
}
