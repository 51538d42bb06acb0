/**
 * The `gantry` program. A command loads only what it needs: the daemon never holds the commands for people in memory, and they
 * never load the daemon.
 */
import { suggestion } from '../base/config/nearest.ts';
import { exitCode, refuse } from './program.ts';
import type { ProgramIo } from './program.ts';
import { ownVersion } from './version.ts';

interface CommandSummary {
  readonly name: string;
  readonly summary: string;
}

const ownCommands: readonly CommandSummary[] = [
  { name: 'serve', summary: 'run the daemon: answer the kubelet on the CRI socket' },
  { name: 'config', summary: 'print, check or explain the configuration' },
  { name: 'registry', summary: 'explain whom a pull of an image would ask' },
  { name: 'completion', summary: 'print the completion script for bash, zsh or fish' },
  { name: 'help', summary: 'explain a command' },
];

async function main(argv: readonly string[], io: ProgramIo): Promise<number> {
  const [command = 'help', ...rest] = argv;
  switch (command) {
    case 'serve':
      return serve(rest, io);
    case 'config':
      return (await import('./config-command.ts')).configCommand(rest, io);
    case 'registry':
      return (await import('./registry-command.ts')).registryCommand(rest, io);
    case 'completion':
      return completion(rest, io);
    case 'help':
    case '--help':
    case '-h':
      return help(rest[0], io);
    case '--version':
      io.stdout.write(`gantry ${ownVersion()}\n`);
      return exitCode.ok;
    default:
      return forPeople(command, argv, io);
  }
}

async function serve(argv: readonly string[], io: ProgramIo): Promise<number> {
  const { serveCommand } = await import('./serve-command.ts');
  return serveCommand(argv, io, {
    version: ownVersion(),
    async parts() {
      const [{ buildEngine }, { serveFaces }] = await Promise.all([import('./build-engine.ts'), import('./serve-faces.ts')]);
      return { buildEngine, serveFaces };
    },
  });
}

async function forPeople(command: string, argv: readonly string[], io: ProgramIo): Promise<number> {
  const { cliCommands, runCliCommand } = await import('../face/cli/commands.ts');
  if (!cliCommands.some(({ name }) => name === command)) {
    const known = [...ownCommands, ...cliCommands].map(({ name }) => name);
    return refuse(io, [`unknown command ${command}${suggestion(command, known)}`], '');
  }
  const { processIo } = await import('../face/cli/io.ts');
  return runCliCommand([...argv], processIo(ownVersion()));
}

async function help(command: string | undefined, io: ProgramIo): Promise<number> {
  if (command === undefined || command === 'help') {
    const { cliCommands } = await import('../face/cli/commands.ts');
    io.stdout.write(overview(cliCommands));
    return exitCode.ok;
  }
  return main([command, '--help'], io);
}

function overview(cliCommands: readonly CommandSummary[]): string {
  const all = [...ownCommands, ...cliCommands];
  const width = Math.max(...all.map(({ name }) => name.length)) + 3;
  const rows = (commands: readonly CommandSummary[]) => commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`).join('\n');
  return `gantry: a container runtime for Kubernetes nodes

Usage: gantry COMMAND [FLAG]...

The daemon:
${rows(ownCommands)}

Looking at a node, through the daemon's socket:
${rows(cliCommands)}

gantry help COMMAND explains one; gantry --version prints the version.
Exit codes: 0 done, 1 failed, 2 the command line is wrong.
`;
}

async function completion(argv: readonly string[], io: ProgramIo): Promise<number> {
  const { completionScript, shells } = await import('./completion.ts');
  const [shell] = argv;
  if (shell === '--help') {
    io.stdout.write(`Prints the completion script for a shell.\n\nUsage: gantry completion ${shells.join('|')}\n\nFor bash: source <(gantry completion bash)\n`);
    return exitCode.ok;
  }
  const { cliCommands } = await import('../face/cli/commands.ts');
  const script = argv.length === 1 ? completionScript(shell!, [...ownCommands, ...cliCommands]) : undefined;
  if (script === undefined) return refuse(io, [`completion wants one of ${shells.join(', ')}`], 'completion');
  io.stdout.write(script);
  return exitCode.ok;
}

const code = await main(process.argv.slice(2), { stdout: process.stdout, stderr: process.stderr, environment: process.env });
// A daemon that has stopped must not live on for a handle that somebody forgot; a command waits for its output.
if (process.argv[2] === 'serve') process.exit(code);
process.exitCode = code;
