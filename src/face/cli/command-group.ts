/** Commands of two words, `gantry image load`: a first word that stands for several commands. */
import type { Command } from './command.ts';

export interface CommandGroup {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly usage: string;
  /** Each with both words in its name. */
  readonly commands: readonly Command[];
  readonly examples: readonly string[];
}

export function isGroup(one: Command | CommandGroup): one is CommandGroup {
  return 'commands' in one;
}

/** The second words. */
export function wordsOf(group: CommandGroup): string[] {
  return group.commands.map(({ name }) => name.slice(group.name.length + 1));
}

export function groupHelpText(group: CommandGroup): string {
  const width = Math.max(...group.commands.map(({ name }) => name.length));
  return [
    `Usage: ${group.usage}`,
    '',
    `${group.summary[0]!.toUpperCase()}${group.summary.slice(1)}.`,
    '',
    'Commands:',
    ...group.commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Examples:',
    ...group.examples.map((example) => `  ${example}`),
    '',
    `gantry ${group.name} COMMAND --help explains one.`,
    '',
  ].join('\n');
}
