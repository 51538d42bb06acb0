/**
 * A containers `registries.conf` (containers-registries.conf(5), version 2) with the drop-ins of `registries.conf.d`: where a
 * registry is, which mirrors it has, how to talk to them, what is blocked, and what short names mean.
 */
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import { ForeignValue } from '../../base/foreign-value.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import { readIfThere } from './read-if-there.ts';

const mirrorUses = ['all', 'digest-only', 'tag-only'] as const;
const shortNameModes = ['permissive', 'enforcing', 'disabled'] as const;

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
  readonly pulls: (typeof mirrorUses)[number];
}

export interface RegistriesConf {
  readonly entries: readonly RegistryEntry[];
  /** Where names without a registry are looked for; empty: at Docker Hub, as Docker does. */
  readonly searchRegistries: readonly string[];
  /** `enforcing` refuses to choose between several search registries. */
  readonly shortNameMode: (typeof shortNameModes)[number];
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
    return (await fencedFiles.list(folder)).filter((name) => name.endsWith('.conf')).map((name) => join(folder, name));
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

/** What can't be understood is failed-precondition, naming the file and the setting. */
export function parseRegistriesConf(text: string, file: string): RegistriesFile {
  try {
    const settings = new ForeignValue(parse(text)).members();
    const search = settings.get('unqualified-search-registries');
    const mode = settings.get('short-name-mode');
    const aliases = settings.get('aliases');
    return {
      entries: settings.get('registry').items().map((entry) => readEntry(entry, file)),
      searchRegistries: search.absent ? undefined : search.texts(),
      shortNameMode: mode.absent ? undefined : mode.oneOf(shortNameModes),
      aliases: aliases.absent ? undefined : readAliases(aliases),
    };
  } catch (cause) {
    throw failure('failed-precondition', { act: 'read registries file', object: file, why: firstLine(cause), cause });
  }
}

// smol-toml draws the place of a mistake below its sentence.
function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] ?? '';
}

function readEntry(value: ForeignValue, file: string): RegistryEntry {
  const entry = value.members();
  const location = entry.get('location').textOr('');
  const prefix = entry.get('prefix').textOr(location);
  if (prefix === '') throw entry.get('location').wants('where the registry is');
  const digestOnly = entry.get('mirror-by-digest-only').flagOr(false);
  const mirrors = entry.get('mirror').items().map((mirror) => readMirror(mirror, digestOnly));
  return { prefix, location, insecure: entry.get('insecure').flagOr(false), blocked: entry.get('blocked').flagOr(false), mirrors, file };
}

function readMirror(value: ForeignValue, digestOnly: boolean): MirrorEntry {
  const mirror = value.members();
  const location = mirror.get('location').textOr('');
  if (location === '') throw mirror.get('location').wants('where the mirror is');
  const pulls = mirror.get('pull-from-mirror');
  return { location, insecure: mirror.get('insecure').flagOr(false), pulls: pulls.absent && digestOnly ? 'digest-only' : pulls.oneOf(mirrorUses) };
}

function readAliases(value: ForeignValue): ReadonlyMap<string, string> {
  const aliases = value.members();
  return new Map(aliases.names.map((name) => [name, aliases.get(name).text()]));
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
