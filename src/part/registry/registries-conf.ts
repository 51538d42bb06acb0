/**
 * A containers `registries.conf` (containers-registries.conf(5), version 2) with the drop-ins of `registries.conf.d`: where a
 * registry is, which mirrors it has, how to talk to them, what is blocked, and what short names mean.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { failure, hasCode } from '../../base/errors.ts';
import { readIfThere } from './read-if-there.ts';

export interface RegistryEntry {
  /** What a name must begin with: `host[:port][/path]`, or `*.domain`. */
  readonly prefix: string;
  /** What replaces the prefix; empty: nothing does. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  /** Asked before the location, in this order. */
  readonly mirrors: readonly MirrorEntry[];
  /** The file that says so. */
  readonly file: string;
}

export interface MirrorEntry {
  readonly location: string;
  readonly insecure: boolean;
  /** What it may be asked for: a mirror that lags behind is trusted with digests only. */
  readonly pulls: 'all' | 'digest-only' | 'tag-only';
}

export interface RegistriesConf {
  readonly entries: readonly RegistryEntry[];
  /** Where names without a registry are looked for; empty: at Docker Hub, as Docker does. */
  readonly searchRegistries: readonly string[];
  /** `enforcing` refuses to choose between several search registries. */
  readonly shortNameMode: 'enforcing' | 'permissive' | 'disabled';
  /** Short names and the complete names that they stand for. */
  readonly aliases: ReadonlyMap<string, string>;
}

export const noRegistriesConf: RegistriesConf = { entries: [], searchRegistries: [], shortNameMode: 'permissive', aliases: new Map() };

/**
 * Reads the file and, by name, the `*.conf` of the folder `<path>.d`; a later file's entry for the same prefix replaces an earlier
 * one's, and so do its other settings. Absent files say nothing; one that can't be understood is failed-precondition, naming it.
 */
export async function readRegistriesConf(path: string): Promise<RegistriesConf> {
  let merged = noRegistriesConf;
  for (const file of [path, ...(await dropIns(`${path}.d`))]) {
    const text = await readIfThere(file, 'registries file');
    if (text !== undefined) merged = merge(merged, parseRegistriesConf(text, file));
  }
  return merged;
}

async function dropIns(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.conf')).sort().map((name) => join(folder, name));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return [];
    throw failure('failed-precondition', { act: 'read registries folder', object: folder, cause });
  }
}

/** One file's settings; what it does not mention is undefined. */
export type RegistriesFile = { readonly [K in keyof RegistriesConf]: RegistriesConf[K] | undefined };

function merge(before: RegistriesConf, file: RegistriesFile): RegistriesConf {
  const entries = file.entries ?? [];
  const replaced = new Set(entries.map(({ prefix }) => prefix));
  return {
    entries: [...before.entries.filter(({ prefix }) => !replaced.has(prefix)), ...entries],
    searchRegistries: file.searchRegistries ?? before.searchRegistries,
    shortNameMode: file.shortNameMode ?? before.shortNameMode,
    aliases: new Map([...before.aliases, ...(file.aliases ?? [])]),
  };
}

export function parseRegistriesConf(text: string, file: string): RegistriesFile {
  const refuse = (why: string, cause?: unknown): Error => failure('failed-precondition', { act: 'read registries file', object: file, why, cause });
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message.split('\n', 1)[0] ?? '' : String(cause), cause);
  }
  const mode = document['short-name-mode'];
  if (mode !== undefined && mode !== 'enforcing' && mode !== 'permissive' && mode !== 'disabled') throw refuse('short-name-mode must be enforcing, permissive or disabled');
  const search = document['unqualified-search-registries'];
  if (search !== undefined && !isTexts(search)) throw refuse('unqualified-search-registries must be a list of strings');
  return {
    entries: tables(document['registry'], 'registry', refuse).map((table) => readEntry(table, file)),
    searchRegistries: search,
    shortNameMode: mode,
    aliases: readAliases(document['aliases'], refuse),
  };
}

type Refuse = (why: string) => Error;

/** One `[[registry]]` or `[[registry.mirror]]`, with readers that name it in refusals. */
interface Table {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly refuse: Refuse;
}

function tables(value: unknown, name: string, refuse: Refuse): Table[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw refuse(`${name} must be written as [[${name}]]`);
  return value.map((values: Record<string, unknown>, index) => {
    const own = `${name} ${index + 1}`;
    return { name: own, values, refuse: (why) => refuse(`${own}: ${why}`) };
  });
}

function readEntry(table: Table, file: string): RegistryEntry {
  const prefix = text(table, 'prefix') ?? text(table, 'location');
  if (prefix === undefined || prefix === '') throw table.refuse('wants a location');
  const digestOnly = flag(table, 'mirror-by-digest-only');
  const mirrors = tables(table.values['mirror'], 'registry.mirror', table.refuse).map((mirror) => readMirror(mirror, digestOnly));
  return { prefix, location: text(table, 'location') ?? '', insecure: flag(table, 'insecure'), blocked: flag(table, 'blocked'), mirrors, file };
}

function readMirror(table: Table, digestOnly: boolean): MirrorEntry {
  const location = text(table, 'location');
  if (location === undefined || location === '') throw table.refuse('wants a location');
  const pulls = text(table, 'pull-from-mirror') ?? (digestOnly ? 'digest-only' : 'all');
  if (pulls !== 'all' && pulls !== 'digest-only' && pulls !== 'tag-only') throw table.refuse('pull-from-mirror must be all, digest-only or tag-only');
  return { location, insecure: flag(table, 'insecure'), pulls };
}

function text({ values, refuse }: Table, key: string): string | undefined {
  const value = values[key];
  if (value === undefined || typeof value === 'string') return value;
  throw refuse(`${key} must be a string`);
}

function flag({ values, refuse }: Table, key: string): boolean {
  const value = values[key] ?? false;
  if (typeof value === 'boolean') return value;
  throw refuse(`${key} must be true or false`);
}

function readAliases(value: unknown, refuse: Refuse): ReadonlyMap<string, string> | undefined {
  if (value === undefined) return undefined;
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : undefined;
  if (entries === undefined || !entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) throw refuse('aliases must be a table of strings');
  return new Map(entries);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** The entry with the longest prefix that fits `host/repository`. */
export function findEntry(entries: readonly RegistryEntry[], name: string): RegistryEntry | undefined {
  const fitting = entries.filter((entry) => fits(entry.prefix, name));
  return fitting.reduce<RegistryEntry | undefined>((best, entry) => (best === undefined || entry.prefix.length > best.prefix.length ? entry : best), undefined);
}

/** The name with the entry's prefix replaced by a location. A `*.domain` prefix has nothing to replace but the whole host. */
export function relocate({ prefix }: RegistryEntry, location: string, name: string): string {
  if (location === '') return name;
  if (!prefix.startsWith('*.')) return location + name.slice(prefix.length);
  return location + name.slice(name.indexOf('/'));
}

function fits(prefix: string, name: string): boolean {
  if (prefix.startsWith('*.')) return name.split('/', 1)[0]?.replace(/:[0-9]+$/, '').endsWith(prefix.slice(1)) ?? false;
  return name === prefix || name.startsWith(`${prefix}/`);
}
