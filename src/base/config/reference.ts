/** docs/configuration.md: every setting of the schema, with what holds for all of them. */
import { flagOf } from './flags-layer.ts';
import { defaultConfigFile } from './load.ts';
import { schema } from './schema.ts';
import { environmentName, tomlName } from './tree.ts';
import type { AnyNamed, AnyNode, AnySetting, AnyTable } from './tree.ts';
import { keyOf } from './keys.ts';

const introduction = `# Configuration

<!-- Written by scripts/generate-docs.ts from src/base/config/schema.ts: change that, then run the script. -->

Gantry runs without a configuration file. What it is told comes from these places; each wins over those above it, setting by setting:

1. the defaults below,
2. the file \`${defaultConfigFile}\`, or the one that \`--config\` or \`GANTRY_CONFIG\` names (which then must exist),
3. its drop-ins, \`<file>.d/*.toml\`, in the order of their names,
4. environment variables, named \`GANTRY_\` and the key in capitals; an empty one counts as not set,
5. flags of \`gantry serve\`.

A setting that does not exist or has a wrong value stops the start; the message names the file, the key, the value and what is wanted, and
all faults are reported at once. Environment variables that begin with \`GANTRY_\` and mean nothing are only warned of.

\`\`\`sh
gantry config default > ${defaultConfigFile}   # every setting, explained, to start from
gantry config check [FILE]                        # all that is wrong; exit code 1 when anything is
gantry config show                                # the effective values, and where each comes from
\`\`\`

Durations are written \`"30s"\`, \`"1m30s"\` or \`"500ms"\`; sizes \`"16MiB"\` or as a number of bytes.

## Changing it while the daemon runs

SIGHUP (\`systemctl reload gantry\`) makes the daemon read everything again. It checks all of it first: a fault anywhere is logged and nothing
changes. Settings marked *live* are then applied together; the others keep their values, and the log names those that wait for a restart. Restarting
the daemon does not disturb running containers.
`;

const serviceManager = `## Under systemd

[contrib/gantry.service](../contrib/gantry.service) is a unit to start from. The daemon tells systemd when it is ready, reloading and stopping, and
answers its watchdog only as long as the engine answers. \`KillMode=process\` matters: the containers' monitors live in the unit's
cgroup and must outlive a restart. Only one daemon can use a root, a state folder or a socket; a second one is refused
with the process id of the first. SIGTERM waits a few seconds for calls in flight and leaves containers running; a second SIGTERM
ends the daemon at once, which is safe at any moment.
`;

/** The whole of docs/configuration.md. */
export function configurationReference(): string {
  return [introduction, '## Settings\n', ...sections(schema, ''), serviceManager].join('\n');
}

function sections(table: AnyTable, key: string): string[] {
  const nodes = Object.entries(table.members).map(([member, node]) => ({ key: keyOf(key, tomlName(member)), node }));
  const head = key === '' ? [] : [`### \`[${key}]\`\n\n${table.about}\n`];
  const rows = nodes.flatMap(({ key, node }) => (node.node === 'setting' ? [settingText(key, node)] : []));
  return [...head, ...rows, ...nodes.flatMap(({ key, node }) => below(node, key))];
}

function below(node: AnyNode, key: string): string[] {
  if (node.node === 'setting') return [];
  return node.node === 'table' ? sections(node, key) : [namedText(key, node)];
}

function settingText(key: string, setting: AnySetting): string {
  const { kind, about, applies } = setting;
  const flag = flagOf(setting);
  const facts = [
    `default \`${kind.write(setting.default)}\``,
    `takes ${kind.wanted}`,
    [...(flag === undefined ? [] : [`\`${flag}\``]), `\`${environmentName(key)}\``].join(', '),
    applies === 'live' ? '*live*' : 'needs a restart',
  ];
  return `**\`${key}\`**: ${about}\n${facts.map((fact) => `- ${fact}`).join('\n')}\n`;
}

function namedText(key: string, { about, wantedName, entry, defaults }: AnyNamed): string {
  const members = Object.entries(entry.members).map(([member, { kind, about, applies, default: value }]) =>
    `**\`${tomlName(member)}\`**: ${about}\n${value === undefined ? '- has to be given' : `- default \`${kind.write(value)}\``}\n- takes ${kind.wanted}\n- ${applies === 'live' ? '*live*' : 'needs a restart'}\n`);
  const given = Object.entries(defaults).flatMap(([name, values]) => [
    `[${key}.${name}]`,
    ...Object.entries(entry.members).flatMap(([member, { kind }]) => (values[member] === undefined ? [] : [`${tomlName(member)} = ${kind.write(values[member])}`])),
  ]);
  return `### \`[${key}.NAME]\`

${about} NAME is made of ${wantedName}. ${given.length === 0 ? 'There is none by default.' : `These are there without being written, and a file may change them or add more:

\`\`\`toml
${given.join('\n')}
\`\`\``}

${members.join('\n')}`;
}
