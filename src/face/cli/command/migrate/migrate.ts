import { createInterface } from 'node:readline/promises';
import { failure } from '../../../../base/errors.ts';
import type { Migration } from '../../../../migrate/migration.ts';
import type { TranslatedSource } from '../../../../migrate/survey.ts';
import type { Arguments, Flag } from '../../arguments.ts';
import { socketPath } from '../../client.ts';
import type { Command } from '../../command.ts';
import type { CommandGroup } from '../../command-group.ts';
import { say, wantsColour, type CliIo } from '../../io.ts';
import { newRuntime, oldCriRuntime } from '../../migration-runtimes.ts';
import { tableLines } from '../../table.ts';

const flags: readonly Flag[] = [
  { name: 'from', value: 'RUNTIME', choices: ['docker', 'cri-dockerd', 'containerd'], help: "what the node has (default: by the kubelet's endpoint; docker is the kubelet's own client, before 1.24)" },
  { name: 'images', value: 'DIR', help: 'the data root of the images (default: as its configuration says)' },
  { name: 'namespace', value: 'NAME', help: "containerd's namespace: k8s.io, or moby where Docker keeps its images in containerd" },
  { name: 'daemon-json', value: 'FILE', help: "Docker's configuration (default /etc/docker/daemon.json)" },
  { name: 'containerd-config', value: 'FILE', help: "containerd's configuration (default /etc/containerd/config.toml)" },
  { name: 'docker-socket', value: 'PATH', help: "Docker's socket (default /var/run/docker.sock)" },
  { name: 'kubelet-config', value: 'FILE', help: "the kubelet's configuration (default: as it was started, else /var/lib/kubelet/config.yaml)" },
  { name: 'kubelet-flags', value: 'FILE', help: 'one more file that has flags of the kubelet' },
  { name: 'config', value: 'FILE', help: "Gantry's configuration (default /etc/gantry/config.toml)" },
  { name: 'journal', value: 'DIR', help: 'where the journal and the copies of changed files are kept (default /etc/gantry/migration)' },
  { name: 'host-root', value: 'DIR', help: "where the node's root is, from inside a container (default /)" },
];
const yes: Flag = { name: 'yes', short: 'y', help: 'do not ask' };

const plan: Command = {
  name: 'migrate plan',
  summary: 'print what leaving the old runtime takes on this node, and change nothing',
  usage: 'gantry migrate plan [flags]',
  details: [
    'Tells what becomes of each setting of the old runtime, what would be written where, which images can be adopted, which pods would be',
    "stopped, and who uses Docker's socket. Paths are the node's.",
  ].join('\n'),
  flags, operands: [],
  examples: ['gantry migrate plan', 'gantry migrate plan --from containerd'],
  run: async (args, { io }) => await describe(await migrationOf(args, io), io),
};

const run: Command = {
  name: 'migrate run',
  summary: 'take this node from its old runtime to Gantry',
  usage: 'gantry migrate run [flags]',
  details: [
    'Writes the configuration, adopts the images, stops the kubelet and the pods, points the kubelet to Gantry and starts it. Drain the node',
    'first. Every step is written to a journal: after an interruption the same command goes on, and gantry migrate undo goes back.',
  ].join('\n'),
  flags: [...flags, { name: 'dry-run', help: 'as gantry migrate plan' }, yes], operands: [],
  examples: ['gantry migrate run --dry-run', 'gantry migrate run --yes'],
  async run(args, { io }) {
    const migration = await migrationOf(args, io);
    if (args.on('dry-run')) return await describe(migration, io);
    const { planMigration, runMigration } = await import('../../../../migrate/run-migration.ts');
    if (!args.on('yes')) {
      if ((await describe(migration, io)) !== 0) return 1;
      if ((await planMigration(migration)).length > 0 && !(await agrees(io, 'Take this node to Gantry now?'))) return 1;
    }
    await runMigration(migration);
    await say(io, 'the node has left its old runtime: gantry migrate verify looks whether all is well');
    return 0;
  },
};

const verify: Command = {
  name: 'migrate verify',
  summary: 'check that the node has left its old runtime',
  usage: 'gantry migrate verify [flags]',
  flags, operands: [],
  examples: ['gantry migrate verify'],
  async run(args, { io }) {
    const { verifyMigration } = await import('../../../../migrate/verify-migration.ts');
    const checks = await verifyMigration(await migrationOf(args, io));
    for (const { name, faults } of checks) {
      await say(io, `${faults.length === 0 ? 'ok     ' : 'FAILED '} ${name}`);
      for (const fault of faults) await say(io, `        ${fault}`);
    }
    return checks.every(({ faults }) => faults.length === 0) ? 0 : 1;
  },
};

const undo: Command = {
  name: 'migrate undo',
  summary: 'take the node back to the runtime that it had',
  usage: 'gantry migrate undo [flags]',
  details: 'Undoes what the journal says was done, the last first: files get their old content, Gantry\'s pods end. Adopted images stay.',
  flags: [...flags, yes], operands: [],
  examples: ['gantry migrate undo'],
  async run(args, { io }) {
    const migration = await migrationOf(args, io);
    const isBegun = migration.journal.entries.length > 0; // else there is nothing to ask
    if (isBegun && !args.on('yes') && !(await agrees(io, 'Take this node back to its old runtime now?'))) return 1;
    const { undoMigration } = await import('../../../../migrate/run-migration.ts');
    await undoMigration(migration);
    await say(io, 'the node has its old runtime again');
    return 0;
  },
};

export const migrate: CommandGroup = {
  name: 'migrate',
  summary: 'take a node from Docker, cri-dockerd or containerd to Gantry, and back',
  usage: 'gantry migrate COMMAND [flags]',
  commands: [plan, run, verify, undo],
  examples: ['gantry migrate plan', 'gantry migrate run'],
};

/** What is needed is loaded here: no other command has to pay for it. */
async function migrationOf(args: Arguments, io: CliIo): Promise<Migration> {
  const [{ NodeFiles }, { Journal }, { survey }, services, { dockerContainers }] = await Promise.all([
    import('../../../../migrate/node-files.ts'), import('../../../../migrate/journal.ts'), import('../../../../migrate/survey.ts'), import('../../../../migrate/node-services.ts'), import('../../../../migrate/docker-containers.ts'),
  ]);
  const node = new NodeFiles(args.text('host-root') ?? '/');
  const journal = new Journal(node.at(args.text('journal') ?? '/etc/gantry/migration'));
  const docker = dockerContainers(node.at(args.text('docker-socket') ?? '/var/run/docker.sock'));
  const outside = {
    units: services.systemdUnits(), programs: services.programsNamed, kubeletMinor: services.kubeletMinor,
    gantry: newRuntime(socketPath(args.text('socket'), io.env), io.signal),
    oldRuntime: (endpoint: string | undefined) => (endpoint === undefined ? docker : oldCriRuntime(node.at(socketPath(endpoint, {})), io.signal, docker.strangers)),
    signal: io.signal,
    say: async (line: string) => await say(io, line),
  };
  const options = {
    source: args.text('from') as 'docker' | 'cri-dockerd' | 'containerd' | undefined,
    daemonJson: args.text('daemon-json') ?? '/etc/docker/daemon.json', containerdConfig: args.text('containerd-config') ?? '/etc/containerd/config.toml',
    kubeletConfig: args.text('kubelet-config'), kubeletFlags: args.text('kubelet-flags'), imageRoot: args.text('images'), namespace: args.text('namespace'),
  };
  return { node, journal, outside, survey: await survey({ node, outside, options, known: journal.survey }), configFile: args.text('config') ?? '/etc/gantry/config.toml' };
}

async function describe(migration: Migration, io: CliIo): Promise<number> {
  const [{ planMigration }, { findSocketUsers, podNames }] = await Promise.all([import('../../../../migrate/run-migration.ts'), import('../../../../migrate/socket-users.ts')]);
  const { record, sources, kubelet, images } = migration.survey;
  await say(io, `from ${record.source}${record.endpoint === undefined ? '' : ` at ${record.endpoint}`}, kubelet ${kubelet.minor === undefined ? 'of unknown version' : `1.${kubelet.minor}`} with the cgroup driver ${kubelet.cgroupDriver}, images in ${images.root}`);
  for (const source of sources) for (const line of settingLines(source, wantsColour(io))) await say(io, line);
  for (const { step, lines } of await planMigration(migration)) for (const line of ['', step, ...lines.map((one) => `  ${one}`)]) await say(io, line);
  const users = await findSocketUsers(await podNames(migration));
  if (users.length > 0) {
    const rows = users.map(({ pid, program, where, how, purpose }) => [String(pid), program, where, how, purpose ?? 'not known here: ask who runs it']);
    for (const line of ['', "who uses Docker's socket", ...tableLines(['PID', 'PROGRAM', 'WHERE', 'HOW', 'WHAT FOR'], rows, wantsColour(io))]) await say(io, line);
  }
  return 0;
}

function settingLines({ name, translations }: TranslatedSource, colour: boolean): string[] {
  const rows = translations.map(({ setting, value, verdict, becomes, note }) => [verdict, setting, value, [...Object.entries(becomes ?? {}).map(([key, to]) => `${key} = ${JSON.stringify(to)}`), note].join('; ')]);
  return ['', name, ...tableLines(['VERDICT', 'SETTING', 'VALUE', 'HERE'], rows, colour)];
}

async function agrees(io: CliIo, question: string): Promise<boolean> {
  if (io.terminal === undefined) throw failure('failed-precondition', { act: 'ask you', why: 'stdin is no terminal: say --yes' });
  const asking = createInterface({ input: io.stdin, output: io.stderr });
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `, { signal: io.signal })).trim());
  } finally {
    asking.close();
  }
}
