/** `gantry config`: the configuration printed, checked and explained. */
import { parseCommandLine } from '../base/config/flags-layer.ts';
import type { CommandLine } from '../base/config/flags-layer.ts';
import { readConfig } from '../base/config/load.ts';
import { suggestion } from '../base/config/nearest.ts';
import { defaultToml, effectiveToml } from '../base/config/render.ts';
import { exitCode, refuse } from './program.ts';
import type { ProgramIo } from './program.ts';

export const configHelp = `Prints, checks or explains the configuration of the daemon.

Usage: gantry config default               every setting with its default, explained, as TOML
       gantry config check [FILE] [FLAG]... all that is wrong with it; exit code 1 when anything is
       gantry config show [FLAG]...         the effective values, and where each comes from

check and show take the flags of gantry serve and read the same files and environment.
`;

export const configSubcommands = ['default', 'check', 'show'] as const;

export async function configCommand(argv: readonly string[], io: ProgramIo): Promise<number> {
  const line = parseCommandLine(argv);
  if (line.help) {
    io.stdout.write(configHelp);
    return exitCode.ok;
  }
  const [subcommand, ...operands] = line.operands;
  const mostOperands = subcommand === 'check' ? 1 : 0;
  const problems = [...line.problems, ...operands.slice(mostOperands).map((operand) => `one word too many: ${operand}`)];
  if (problems.length > 0) return refuse(io, problems, 'config');

  if (subcommand === 'default') {
    io.stdout.write(defaultToml());
    return exitCode.ok;
  }
  if (subcommand === 'check') return check(line, operands[0], io);
  if (subcommand === 'show') return show(line, io);
  return refuse(io, [subcommand === undefined ? 'config wants default, check or show' : `unknown command config ${subcommand}${suggestion(subcommand, configSubcommands)}`], 'config');
}

async function check(line: CommandLine, file: string | undefined, io: ProgramIo): Promise<number> {
  const { problems, warnings, loaded } = await readConfig({ ...line, configFile: file ?? line.configFile, environment: io.environment });
  for (const warning of warnings) io.stderr.write(`warning: ${warning}\n`);
  for (const problem of problems) io.stderr.write(`${problem}\n`);
  if (loaded === undefined) return exitCode.failure;
  io.stdout.write(`ok: ${loaded.files.length === 0 ? 'no configuration file, all defaults' : loaded.files.join(', ')}\n`);
  return exitCode.ok;
}

async function show(line: CommandLine, io: ProgramIo): Promise<number> {
  const { problems, warnings, loaded } = await readConfig({ ...line, environment: io.environment });
  for (const warning of warnings) io.stderr.write(`warning: ${warning}\n`);
  for (const problem of problems) io.stderr.write(`${problem}\n`);
  if (loaded === undefined) return exitCode.failure;
  io.stdout.write(effectiveToml(loaded.entries));
  return exitCode.ok;
}
