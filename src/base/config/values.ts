/** The finished configuration from its entries, and what a reload may change of it. */
import { settingAt } from './keys.ts';
import type { Entry } from './layer.ts';
import { schema } from './schema.ts';
import type { Config } from './schema.ts';
import { tomlName } from './tree.ts';
import type { AnyNamed, AnyNode, AnyTable } from './tree.ts';

export type Entries = ReadonlyMap<string, Entry>;

/** Puts the values of a complete set of entries into their places. */
export function assemble(entries: Entries): Config {
  return tableOf(schema, entries, '') as unknown as Config; // the schema's types are lost on the way through its keys
}

function tableOf(table: AnyTable, entries: Entries, prefix: string): Record<string, unknown> {
  const members = Object.entries(table.members).map(([member, node]) => {
    const key = prefix + tomlName(member);
    if (node.node === 'setting') return [member, entries.get(key)?.value];
    return [member, node.node === 'table' ? tableOf(node, entries, `${key}.`) : namesOf(node, entries, key)];
  });
  return Object.fromEntries(members) as Record<string, unknown>;
}

/** Without a prototype: a handler may be called `constructor`, and looking up one that is not there finds nothing. */
function namesOf(node: AnyNamed, entries: Entries, key: string): Record<string, unknown> {
  const names = namesIn(entries, key).map((name) => [name, tableOf(node.entry, entries, `${key}.${name}.`)]);
  return Object.assign(Object.create(null), Object.fromEntries(names)) as Record<string, unknown>;
}

/** The names that the entries hold in a named table. */
export function namesIn(entries: Entries, parent: string): string[] {
  const prefix = `${parent}.`;
  const names = [...entries.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length, key.lastIndexOf('.')));
  return [...new Set(names)];
}

export interface Change {
  readonly key: string;
  /** As TOML, secrets covered; undefined where there is no such key. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly applies: 'live' | 'restart';
}

/** What differs between two configurations, by key. */
export function changesBetween(before: Entries, after: Entries): Change[] {
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].flatMap((key) => {
    const [from, to] = [tomlOf(key, before), tomlOf(key, after)];
    return from === to ? [] : [{ key, from: toldOf(key, before), to: toldOf(key, after), applies: settingAt(key)!.applies }];
  });
}

/** The entries of `after` where a reload may apply them, and of `before` where only a restart does. */
export function applyLive(before: Entries, after: Entries): Entries {
  const of = (entries: Entries, applies: string) => [...entries].filter(([key]) => settingAt(key)!.applies === applies);
  return new Map([...of(before, 'restart'), ...of(after, 'live')]);
}

/** The configuration with all secrets covered, for whoever may ask for it. */
export function withoutSecrets(config: Config): Config {
  return coveredTable(schema, config) as unknown as Config;
}

function coveredTable(table: AnyTable, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table.members).map(([member, node]) => [member, covered(node, values[member])]));
}

function covered(node: AnyNode, value: unknown): unknown {
  if (node.node === 'setting') return node.kind.covered?.(value) ?? value;
  const values = value as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  if (node.node === 'table') return coveredTable(node, values);
  return Object.fromEntries(Object.entries(values).map(([name, entry]) => [name, coveredTable(node.entry, entry)]));
}

function toldOf(key: string, entries: Entries): string | undefined {
  const entry = entries.get(key);
  return entry === undefined ? undefined : settingAt(key)!.kind.write(covered(settingAt(key)!, entry.value));
}

/** The value of a key as TOML. */
export function tomlOf(key: string, entries: Entries): string | undefined {
  const entry = entries.get(key);
  return entry === undefined ? undefined : settingAt(key)!.kind.write(entry.value);
}
