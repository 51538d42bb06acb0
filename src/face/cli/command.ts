/** What a command is, the flags that many share, and the help made from its declaration. */
import type { Arguments, Flag, Syntax } from './arguments.ts';
import type { CriClient } from './client.ts';
import type { CliIo } from './io.ts';

export interface CommandContext {
  readonly io: CliIo;
  /** Connects when first called, so that a wrong command line is told before a missing daemon. */
  connect(): Promise<CriClient>;
}

export interface Command extends Syntax {
  readonly name: string;
  /** One line, for the list of commands: begins small, has no full stop. */
  readonly summary: string;
  /** `gantry ps [flags]`. */
  readonly usage: string;
  /** What the summary cannot say; paragraphs as printed. */
  readonly details?: string;
  readonly examples: readonly string[];
  /** Returns the exit code. */
  run(args: Arguments, context: CommandContext): Promise<number>;
}

export const socketFlag: Flag = { name: 'socket', value: 'PATH', help: 'CRI socket (default GANTRY_SOCKET, or /run/gantry/gantry.sock)' };
export const helpFlag: Flag = { name: 'help', short: 'h', help: 'print this help' };
export const outputFlag: Flag = { name: 'output', short: 'o', value: 'FORMAT', choices: ['table', 'json'], help: 'table (default) or json' };
export const quietFlag: Flag = { name: 'quiet', short: 'q', help: 'print ids only' };
export const noTruncFlag: Flag = { name: 'no-trunc', help: 'print whole ids' };

/** The flags of a command with those that every command has. */
export function allFlags(command: Command): readonly Flag[] {
  return [...command.flags, socketFlag, helpFlag];
}

export function helpText(command: Command): string {
  const flags = allFlags(command).map((flag) => [spelling(flag), flag.help] as const);
  const width = Math.max(...flags.map(([spelled]) => spelled.length));
  return [
    `Usage: ${command.usage}`,
    '',
    `${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`,
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    'Flags:',
    ...flags.map(([spelled, help]) => `  ${spelled.padEnd(width)}  ${help}`),
    '',
    command.examples.length > 1 ? 'Examples:' : 'Example:',
    ...command.examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}

function spelling(flag: Flag): string {
  const long = `--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
  return flag.short === undefined ? `    ${long}` : `-${flag.short}, ${long}`;
}
