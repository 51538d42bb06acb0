/** The schema by key: `cni.conf_dir` is the setting `confDir` of the table `cni`. */
import { schema } from './schema.ts';
import { environmentName, tomlName } from './tree.ts';
import type { AnyNamed, AnyNode, AnySetting, AnyTable } from './tree.ts';

/** A setting with its key and the environment variable that sets it. */
export interface KeyedSetting {
  readonly key: string;
  readonly environment: string;
  readonly setting: AnySetting;
}

/** A node below a table, by the name it has in TOML. */
export function memberOf(table: AnyTable, name: string): AnyNode | undefined {
  const member = Object.keys(table.members).find((key) => tomlName(key) === name);
  return member === undefined ? undefined : table.members[member];
}

/** `name` under `parent`; the top of the tree has the key ''. */
export function keyOf(parent: string, name: string): string {
  return parent === '' ? name : `${parent}.${name}`;
}

interface Found {
  readonly key: string;
  readonly node: AnyNode;
}

function* nodesBelow(table: AnyTable, parent: string): Generator<Found> {
  for (const [member, node] of Object.entries(table.members)) {
    const key = keyOf(parent, tomlName(member));
    yield { key, node };
    if (node.node === 'table') yield* nodesBelow(node, key);
  }
}

const top: AnyTable = schema;
const nodes = [...nodesBelow(top, '')];

/** Every setting that has a fixed key, in the order of the schema. */
export const keyedSettings: readonly KeyedSetting[] = nodes.flatMap(({ key, node }) =>
  node.node === 'setting' ? [{ key, environment: environmentName(key), setting: node }] : [],
);

/** Every table that the operator fills with names, by key. */
export const namedTables: ReadonlyMap<string, AnyNamed> = new Map(
  nodes.flatMap(({ key, node }) => (node.node === 'named' ? [[key, node] as const] : [])),
);

/** Every key there is, for suggestions. */
export const knownKeys: readonly string[] = nodes.map(({ key }) => key);

const byKey = new Map(keyedSettings.map(({ key, setting }) => [key, setting]));

/** The setting of any leaf key, those inside named tables included (`runtime.handlers.crun.path`). */
export function settingAt(key: string): AnySetting | undefined {
  const fixed = byKey.get(key);
  if (fixed !== undefined) return fixed;
  const parts = key.split('.');
  const entry = namedTables.get(parts.slice(0, -2).join('.'))?.entry;
  const node = entry === undefined ? undefined : memberOf(entry, parts.at(-1)!);
  return node?.node === 'setting' ? node : undefined;
}
