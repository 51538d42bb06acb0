/** What the commands of this folder share: their streams, their exit codes, and how they refuse a command line. */

export const exitCode = { ok: 0, failure: 1, usage: 2 } as const;

/** The outside of a command. */
export interface ProgramIo {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Says what is wrong with a command line and where help is. Returns the exit code. */
export function refuse(io: ProgramIo, problems: readonly string[], command: string): number {
  for (const problem of problems) io.stderr.write(`gantry: ${problem}\n`);
  io.stderr.write(`try: gantry help${command === '' ? '' : ` ${command}`}\n`);
  return exitCode.usage;
}
