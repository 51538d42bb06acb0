import { RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import { UsageError, type Arguments } from '../arguments.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne, type Findable } from '../find.ts';
import { listContainers } from '../inventory.ts';
import { write, type CliIo } from '../io.ts';
import { defaultDetachKeys, detachKeysFlag, parseDetachKeys } from '../session/detach-keys.ts';
import { remoteCommand } from '../session/remote-command.ts';

const act = 'exec in container';

export const exec: Command = {
  name: 'exec',
  summary: 'run a command in a container, exit with its code',
  usage: 'gantry exec [flags] CONTAINER [--] COMMAND [ARGUMENT…]',
  details: 'Flags stand before CONTAINER; all that follows belongs to the command. The command ends when its client goes, by Ctrl-C or the detach keys.\nWith --timeout nothing is printed before the end, and at most 16 MiB a stream.',
  flags: [
    { name: 'stdin', short: 'i', help: 'pass on what comes on stdin' },
    { name: 'tty', short: 't', help: 'give the command a terminal; with -i ours' },
    detachKeysFlag('with -it: leave, and end the command'),
    { name: 'timeout', value: 'DURATION', help: 'without -i and -t: kill the command after this long' },
  ],
  operands: ['CONTAINER', 'COMMAND'],
  many: true,
  flagsFirst: true,
  examples: ['gantry exec -it web/client sh', 'gantry exec -i web/client -- tar -xf - -C /data <data.tar', "gantry exec --timeout 5s web/client sh -c 'exit 3'; echo $?"],

  async run(args, { io, connect }) {
    const { word, cmd } = commandOf(args.operands);
    const [stdin, tty] = [args.on('stdin'), args.on('tty')];
    const detachKeys = parseDetachKeys(args.text('detach-keys') ?? defaultDetachKeys);
    const timeoutMs = args.durationMs('timeout');
    if (timeoutMs !== undefined && (stdin || tty)) throw new UsageError('--timeout is for commands without -i and -t');
    if (stdin && tty && io.terminal === undefined) throw new UsageError('the input device is not a TTY: leave out -t, or run it at a terminal');

    const cri = await connect();
    const found = findOne(word, await listContainers(cri), act);
    if (timeoutMs !== undefined) return execSync(cri, found, { cmd, timeoutMs, io });
    const { url } = await cri.call(runtime.exec, { containerId: found.id, cmd, tty, stdin, stdout: true, stderr: !tty }, { act, object: found.title });
    const end = await remoteCommand({
      url, act, object: found.title, tty, detachKeys, stdin: stdin ? io.stdin : undefined, stdout: io.stdout, stderr: io.stderr, terminal: io.terminal, signal: io.signal,
    });
    return end === 'detached' ? 0 : end;
  },
};

/** `web sh` as docker has it, `web -- sh` as kubectl. */
function commandOf([word, ...rest]: Arguments['operands']): { word: string; cmd: string[] } {
  const cmd = rest[0] === '--' ? rest.slice(1) : rest;
  if (cmd.length === 0) throw new UsageError('COMMAND is missing');
  return { word: word!, cmd };
}

async function execSync(cri: CriClient, found: Findable, { cmd, timeoutMs, io }: { cmd: string[]; timeoutMs: number; io: CliIo }): Promise<number> {
  const timeout = BigInt(Math.ceil(timeoutMs / 1000));
  const answer = await cri.call(
    runtime.execSync,
    { containerId: found.id, cmd, timeout },
    // The runtime ends the command at its own timeout; ours only guards against a runtime that does not.
    { act, object: found.title, deadlineMs: timeoutMs === 0 ? Infinity : Number(timeout) * 1000 + 10_000 },
  );
  await write(io.stdout, answer.stdout);
  await write(io.stderr, answer.stderr);
  return answer.exitCode;
}
