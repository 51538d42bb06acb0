/**
 * The part of a containers `registries.conf` (containers-registries.conf(5), version 2) that says where a registry is and how
 * to talk to it: `[[registry]]` with prefix, location, insecure and blocked. Mirrors are not used yet: the registry itself is asked.
 */
import { readFile } from 'node:fs/promises';
import { parse } from 'smol-toml';
import { failure, hasCode } from '../../base/errors.ts';

export interface RegistryEntry {
  /** What a name must begin with: `host[:port][/path]`, or `*.domain`. */
  readonly prefix: string;
  /** What replaces the prefix. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
}

/** Reads the file; a file that isn't there has no entries, one that can't be understood is failed-precondition. */
export async function readRegistriesConf(path: string): Promise<RegistryEntry[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return [];
    throw failure('failed-precondition', { act: 'read registries file', object: path, cause });
  }
  return parseRegistriesConf(text, path);
}

export function parseRegistriesConf(text: string, path: string): RegistryEntry[] {
  const refuse = (why: string, cause?: unknown): Error => failure('failed-precondition', { act: 'read registries file', object: path, why, cause });
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message.split('\n', 1)[0] ?? '' : String(cause), cause);
  }
  const entries = document['registry'] ?? [];
  if (!Array.isArray(entries)) throw refuse('registry must be written as [[registry]]');
  return entries.map((entry: Record<string, unknown>, index) => {
    const text = (key: string): string | undefined => {
      const value = entry[key];
      if (value === undefined || typeof value === 'string') return value;
      throw refuse(`registry ${index + 1}: ${key} must be a string`);
    };
    const flag = (key: string): boolean => {
      const value = entry[key] ?? false;
      if (typeof value === 'boolean') return value;
      throw refuse(`registry ${index + 1}: ${key} must be true or false`);
    };
    const prefix = text('prefix') ?? text('location');
    if (prefix === undefined || prefix === '') throw refuse(`registry ${index + 1}: wants a location`);
    return { prefix, location: text('location') ?? '', insecure: flag('insecure'), blocked: flag('blocked') };
  });
}

/** The entry with the longest prefix that fits `host/repository`. */
export function findEntry(entries: readonly RegistryEntry[], name: string): RegistryEntry | undefined {
  const fitting = entries.filter((entry) => fits(entry.prefix, name));
  return fitting.reduce<RegistryEntry | undefined>((best, entry) => (best === undefined || entry.prefix.length > best.prefix.length ? entry : best), undefined);
}

/** The name with the entry's prefix replaced by its location. A `*.domain` prefix or an entry without location replaces nothing. */
export function relocate(entry: RegistryEntry, name: string): string {
  return entry.prefix.startsWith('*.') || entry.location === '' ? name : entry.location + name.slice(entry.prefix.length);
}

function fits(prefix: string, name: string): boolean {
  if (prefix.startsWith('*.')) return name.split('/', 1)[0]?.replace(/:[0-9]+$/, '').endsWith(prefix.slice(1)) ?? false;
  return name === prefix || name.startsWith(`${prefix}/`);
}
