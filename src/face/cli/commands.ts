/** The people's commands at the node. The main program dispatches here what is not `serve` or another of its own. */
import { suggestion } from '../../base/config/nearest.ts';
import { isKind, messageOf } from '../../base/errors.ts';
import { parseArguments, UsageError } from './arguments.ts';
import { connectCri, socketPath, type CriClient } from './client.ts';
import { allFlags, helpText, type Command } from './command.ts';
import { groupHelpText, isGroup, wordsOf, type CommandGroup } from './command-group.ts';
import { attach } from './command/attach.ts';
import { checkpoint } from './command/checkpoint.ts';
import { df } from './command/df.ts';
import { dockerClients } from './command/docker-clients.ts';
import { exec } from './command/exec.ts';
import { image } from './command/image/image.ts';
import { images } from './command/images.ts';
import { info } from './command/info.ts';
import { inspect } from './command/inspect.ts';
import { leaks } from './command/leaks.ts';
import { logs } from './command/logs.ts';
import { migrate } from './command/migrate/migrate.ts';
import { play } from './command/play.ts';
import { pods } from './command/pods.ts';
import { portForward } from './command/port-forward.ts';
import { ps } from './command/ps.ts';
import { pull } from './command/pull.ts';
import { pulls } from './command/pulls.ts';
import { restore } from './command/restore.ts';
import { rm } from './command/rm.ts';
import { stop } from './command/stop.ts';
import { version } from './command/version.ts';
import { printable, write, type CliIo } from './io.ts';

const commands: readonly (Command | CommandGroup)[] = [play, pull, pulls, images, image, df, leaks, pods, ps, logs, exec, attach, portForward, inspect, checkpoint, restore, stop, rm, migrate, dockerClients, info, version];

/** Name, one-line summary and usage of every command, in the order in which help lists them; the second words of those that have some. */
export const cliCommands: readonly { readonly name: string; readonly summary: string; readonly usage: string; readonly words?: readonly string[] }[] = commands.map((one) =>
  isGroup(one) ? { ...one, words: wordsOf(one) } : one);

/**
 * Runs one command: `argv` is its name and what follows. Returns the exit code: 0 done, 1 failed (the reason is on
 * stderr), 2 the command line is wrong, 130 interrupted; `exec` returns the code of the command that it ran.
 */
export async function runCliCommand(argv: readonly string[], io: CliIo): Promise<number> {
  const [name, ...words] = argv;
  const named = commands.find((one) => one.name === name);
  if (!named) return complain(io, `gantry: ${name === undefined ? 'a command is missing' : `unknown command ${name}`}, see gantry --help`, 2);
  return isGroup(named) ? runInGroup(named, words, io) : run(named, words, io);
}

async function runInGroup(group: CommandGroup, [word, ...rest]: readonly string[], io: CliIo): Promise<number> {
  const command = group.commands.find(({ name }) => name === `${group.name} ${word}`);
  if (command) return run(command, rest, io);
  if (word === '--help' || word === '-h') {
    await write(io.stdout, groupHelpText(group));
    return 0;
  }
  const known = wordsOf(group);
  const wrong = word === undefined ? `one of ${known.join(', ')} is missing` : `unknown command ${word}${suggestion(word, known)}`;
  return complain(io, `gantry ${group.name}: ${wrong}, see gantry ${group.name} --help`, 2);
}

async function run(command: Command, rest: readonly string[], io: CliIo): Promise<number> {
  let client: CriClient | undefined;
  try {
    if (asksForHelp(rest, command)) {
      await write(io.stdout, helpText(command));
      return 0;
    }
    const args = parseArguments(rest, { ...command, flags: allFlags(command) });
    const connect = async () => (client ??= await connectCri(socketPath(args.text('socket'), io.env), io.signal));
    return await command.run(args, { io, connect });
  } catch (error) {
    if (error instanceof UsageError) return complain(io, `gantry ${command.name}: ${error.message}, see gantry ${command.name} --help`, 2);
    if (io.signal.aborted && isKind(error, 'cancelled')) return complain(io, `gantry ${command.name}: interrupted`, 130);
    return complain(io, `gantry ${command.name}: ${messageOf(error)}`, 1);
  } finally {
    client?.close();
  }
}

/** `--help` wins over everything else that may be wrong with the line, but not behind `exec CONTAINER`. */
function asksForHelp(words: readonly string[], command: Command): boolean {
  for (const word of words) {
    if (word === '--' || (command.flagsFirst && !word.startsWith('-'))) return false;
    if (word === '--help' || word === '-h') return true;
  }
  return false;
}

async function complain(io: CliIo, message: string, code: number): Promise<number> {
  await write(io.stderr, `${printable(message)}\n`);
  return code;
}
