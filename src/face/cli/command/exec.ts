import { failure } from '../../../base/errors.ts';
import { RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import type { Command } from '../command.ts';
import { findOne } from '../find.ts';
import { listContainers } from '../inventory.ts';
import { write } from '../io.ts';

export const exec: Command = {
  name: 'exec',
  summary: 'run a command in a container, print what it wrote, exit with its code',
  usage: 'gantry exec [flags] CONTAINER COMMAND [ARGUMENT…]',
  details: 'Output comes when the command has ended, at most 16 MiB a stream. Flags stand before CONTAINER; all that follows belongs to the command.',
  flags: [
    { name: 'timeout', value: 'DURATION', help: 'kill the command after this long (default: no limit)' },
    { name: 'stdin', short: 'i', help: 'refused: interactive exec comes with the streaming server' },
    { name: 'tty', short: 't', help: 'refused, as -i' },
  ],
  operands: ['CONTAINER', 'COMMAND'],
  many: true,
  flagsFirst: true,
  examples: ['gantry exec web/client cat /etc/hosts', "gantry exec --timeout 5s web/client sh -c 'exit 3'; echo $?"],

  async run(args, { io, connect }) {
    if (args.on('stdin') || args.on('tty')) {
      throw failure('unimplemented', { act: 'exec with -i or -t', why: 'interactive exec comes with the streaming server; until then use `crictl exec -it`, or exec without -i and -t' });
    }
    const timeoutMs = args.durationMs('timeout') ?? 0;
    const cri = await connect();
    const [word, ...cmd] = args.operands;
    const found = findOne(word!, await listContainers(cri), 'exec in container');
    const timeout = BigInt(Math.ceil(timeoutMs / 1000));
    const answer = await cri.call(
      runtime.execSync,
      { containerId: found.id, cmd, timeout },
      // The runtime ends the command at its own timeout; ours only guards against a runtime that does not.
      { act: 'exec in container', object: found.title, deadlineMs: timeoutMs === 0 ? Infinity : Number(timeout) * 1000 + 10_000 },
    );

    await write(io.stdout, answer.stdout);
    await write(io.stderr, answer.stderr);
    return answer.exitCode;
  },
};
