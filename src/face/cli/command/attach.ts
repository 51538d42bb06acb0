import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerState, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import type { ContainerStatusResponse } from '../../../gen/cri.ts';
import { isKind } from '../../../base/errors.ts';
import { UsageError } from '../arguments.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne, type Findable } from '../find.ts';
import { listContainers } from '../inventory.ts';
import { write } from '../io.ts';
import { defaultDetachKeys, detachKeysFlag, parseDetachKeys } from '../session/detach-keys.ts';
import { remoteCommand } from '../session/remote-command.ts';

const act = 'attach to container';

/** How long the end of a container is waited for: a second in all. */
const mostLooks = 10;
const betweenLooksMs = 100;

export const attach: Command = {
  name: 'attach',
  summary: "join a running container's own streams",
  usage: 'gantry attach [flags] CONTAINER',
  details: 'Output from now on, until the container ends; then it exits with the code of the container. Ctrl-C without a terminal, and the detach keys with one,\nleave the container running.',
  flags: [
    { name: 'no-stdin', help: 'only watch' },
    detachKeysFlag('of a container with a terminal: leave it'),
  ],
  operands: ['CONTAINER'],
  examples: ['gantry attach web/client', 'gantry attach --no-stdin web/client'],

  async run(args, { io, connect }) {
    const detachKeys = parseDetachKeys(args.text('detach-keys') ?? defaultDetachKeys);
    const cri = await connect();
    const found = findOne(args.operands[0]!, await listContainers(cri), act);
    const tty = hasTerminal(await cri.call(runtime.containerStatus, { containerId: found.id, verbose: true }, { act, object: found.title }));
    const stdin = !args.on('no-stdin');
    if (stdin && tty && io.terminal === undefined) throw new UsageError('the input device is not a TTY, and the container has one: use --no-stdin, or run it at a terminal');

    const { url } = await cri.call(runtime.attach, { containerId: found.id, tty, stdin, stdout: true, stderr: !tty }, { act, object: found.title });
    if (stdin && tty) await write(io.stderr, 'nothing there? press enter\n');
    const end = await remoteCommand({
      url, act, object: found.title, tty, detachKeys, stdin: stdin ? io.stdin : undefined, stdout: io.stdout, stderr: io.stderr, terminal: io.terminal, signal: io.signal,
    });
    if (end !== 'detached') return end === 0 ? exitCodeOf(cri, found) : end;
    await write(io.stderr, `\nleft ${found.title}, which goes on\n`);
    return 0;
  },
};

/** Both Gantry and containerd put the OCI spec into what they say of themselves; of others a container has no terminal. */
function hasTerminal({ info }: ContainerStatusResponse): boolean {
  try {
    const { runtimeSpec } = JSON.parse(info['info'] ?? '{}') as { runtimeSpec?: { process?: { terminal?: boolean } } };
    return runtimeSpec?.process?.terminal === true;
  } catch {
    return false;
  }
}

/** 0 where it goes on, or is removed already. The streams of a container end a little before some runtimes, as containerd, know that it has ended. */
async function exitCodeOf(cri: CriClient, found: Findable): Promise<number> {
  try {
    for (let looks = 1; ; looks++) {
      const { status } = await cri.call(runtime.containerStatus, { containerId: found.id, verbose: false }, { act, object: found.title });
      if (status?.state === ContainerState.CONTAINER_EXITED) return status.exitCode;
      if (looks === mostLooks) return 0;
      await sleep(betweenLooksMs);
    }
  } catch (error) {
    if (isKind(error, 'not-found')) return 0;
    throw error;
  }
}
