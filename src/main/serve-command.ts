/** The command line of `gantry serve`. */
import { flagsHelp } from '../base/config/flags-help.ts';
import { parseCommandLine } from '../base/config/flags-layer.ts';
import { GantryError } from '../base/errors.ts';
import { flushed } from '../base/log-writer.ts';
import { exitCode, refuse } from './program.ts';
import type { ProgramIo } from './program.ts';
import { serve } from './serve.ts';
import type { ServeParts } from './serve.ts';

export function serveHelp(): string {
  return `Answers the kubelet on the CRI socket until SIGTERM or SIGINT; containers keep running after it.
SIGHUP reads the configuration again.

Usage: gantry serve [FLAG]...

Flags win over the environment (GANTRY_...), which wins over the configuration files.

${flagsHelp()}
  --help
`;
}

/** Runs the daemon; the parts are loaded late, see serve. */
export async function serveCommand(argv: readonly string[], io: ProgramIo, deps: { version: string; parts(): Promise<ServeParts> }): Promise<number> {
  const line = parseCommandLine(argv);
  if (line.help) {
    io.stdout.write(serveHelp());
    return exitCode.ok;
  }
  const problems = [...line.problems, ...line.operands.map((operand) => `serve takes no operand: ${operand}`)];
  if (problems.length > 0) return refuse(io, problems, 'serve');

  io.stdout.on('error', () => {}); // nobody may read it any more; the log goes to stderr, and is as patient
  try {
    return await serve({ ...deps, sources: { configFile: line.configFile, flags: line.flags, environment: io.environment }, output: io.stderr });
  } catch (error) {
    if (!(error instanceof GantryError)) throw error;
    io.stderr.write(`gantry: ${error.message}\n`);
    return exitCode.failure;
  } finally {
    await flushed(io.stderr);
  }
}
