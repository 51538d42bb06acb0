/** Network configurations as administrators write them (CNI spec section 1), and which of a directory's is the node's. */
import { readdir, stat } from 'node:fs/promises';
import * as path from 'node:path';

import { failure, hasCode, messageOf } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import { cniVersions, spokenVersions } from './cni-version.ts';
import type { CniVersion } from './cni-version.ts';

type Json = Readonly<Record<string, unknown>>;

export interface PluginConfig {
  /** The name of its executable. */
  readonly type: string;
  /** The capabilities it declared. */
  readonly capabilities: readonly string[];
  /** All that is passed through to the plugin unaltered. */
  readonly config: Json;
}

/** A valid network configuration. Plain JSON, so that it can be kept with an attachment. */
export interface NetworkConfig {
  readonly name: string;
  /** The spec versions that both it and Gantry speak, highest first; never empty. */
  readonly versions: readonly CniVersion[];
  /** In order of ADD; never empty. */
  readonly plugins: readonly PluginConfig[];
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  /** Where it was read. */
  readonly file: string;
}

export interface SkippedFile {
  readonly file: string;
  readonly why: string;
}

export interface NetworkChoice {
  /** The default network: the first valid file in lexical order. */
  readonly network: NetworkConfig | undefined;
  /** What stood before it and why it is not valid. */
  readonly skipped: readonly SkippedFile[];
}

const maxConfigBytes = 1024 * 1024;
const networkFile = /\.(?:conflist|conf|json)$/;

/** Reads a configuration directory; absent counts as empty. Never throws: what cannot be read is skipped with the reason. */
export async function chooseNetwork(directory: string): Promise<NetworkChoice> {
  const skipped: SkippedFile[] = [];
  try {
    for (const file of await filesIn(directory, networkFile)) {
      try {
        return { network: await readNetwork(file), skipped };
      } catch (error) {
        skipped.push({ file, why: messageOf(error) });
      }
    }
  } catch (error) {
    skipped.push({ file: directory, why: messageOf(error) });
  }
  return { network: undefined, skipped };
}

/**
 * Reads one file: a list, or the single plugin of old `.conf` files, which counts as a list of one. A list takes in the
 * plugins of `<directory>/<network name>/*.conf` too, unless it says `loadOnlyInlinedPlugins`.
 */
export async function readNetwork(file: string): Promise<NetworkConfig> {
  const list = await readJson(file);
  const isSinglePlugin = list['plugins'] === undefined && typeof list['type'] === 'string';
  const inlined = isSinglePlugin ? [list] : arrayOf(list['plugins'] ?? [], 'plugins');
  const name = networkName(list);
  const onlyInlined = isSinglePlugin || flag(list, 'loadOnlyInlinedPlugins');
  const plugins = [...inlined, ...(onlyInlined ? [] : await readSidePlugins(path.join(path.dirname(file), name)))];
  if (plugins.length === 0) throw invalid('it has no plugins');
  return {
    name,
    versions: versionsOf(list),
    plugins: plugins.map(parsePlugin),
    disableCheck: flag(list, 'disableCheck'),
    disableGC: flag(list, 'disableGC'),
    file,
  };
}

async function readSidePlugins(directory: string): Promise<Json[]> {
  return Promise.all((await filesIn(directory, /\.conf$/)).map(readJson));
}

function networkName(list: Json): string {
  const name = list['name'];
  if (name === undefined) throw invalid('it has no name');
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name)) {
    throw invalid(`its name ${quote(name)} is not 1 to 128 letters, digits, _ . and - that begin with a letter or digit`);
  }
  return name;
}

function versionsOf(list: Json): CniVersion[] {
  const written = [...arrayOf(list['cniVersions'] ?? [], 'cniVersions'), ...(list['cniVersion'] === undefined ? [] : [list['cniVersion']])];
  if (written.length === 0) throw invalid('it has no cniVersion');
  const spoken = spokenVersions(written);
  if (spoken.length === 0) throw invalid(`it speaks CNI ${written.join(', ')} and Gantry speaks ${cniVersions.join(', ')}`);
  return spoken;
}

function parsePlugin(value: unknown, index: number): PluginConfig {
  const config = objectOf(value, `plugin ${index}`);
  const type = config['type'];
  if (typeof type !== 'string' || type === '') throw invalid(`plugin ${index} has no type`);
  if (/[/\\\0]/.test(type) || type === '.' || type === '..') throw invalid(`plugin ${index} has the type ${quote(type)}, which is no file name`);
  const declared = objectOf(config['capabilities'] ?? {}, `capabilities of plugin ${type}`);
  return {
    type,
    capabilities: Object.keys(declared).filter((capability) => declared[capability] === true),
    config: Object.fromEntries(Object.entries(config).filter(([key]) => !isReserved(key))),
  };
}

/** Keys that a request never takes over from the configuration (spec section 3, "Deriving request configuration"). */
function isReserved(key: string): boolean {
  return key === 'capabilities' || key === 'prevResult' || key.startsWith('cni.dev/');
}

/** A boolean; the text `"true"` passes too, as it does with the CNI library. */
function flag(list: Json, key: string): boolean {
  const value = list[key] ?? false;
  const text = String(value).toLowerCase();
  if ((typeof value !== 'boolean' && typeof value !== 'string') || (text !== 'true' && text !== 'false')) throw invalid(`${key} is ${quote(value)}, neither true nor false`);
  return text === 'true';
}

/** Regular files (also through links) whose name fits, in lexical order. */
async function filesIn(directory: string, form: RegExp): Promise<string[]> {
  let names: string[];
  try {
    await fencedFiles.reach(directory);
    names = await readdir(directory);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  const files = names.filter((name) => form.test(name)).sort().map((name) => path.join(directory, name));
  // A pipe among them would hang the reader. What cannot be looked at stays, so that reading it tells why.
  const readable = await Promise.all(files.map(mayBeFile));
  return files.filter((_, n) => readable[n]);
}

async function mayBeFile(file: string): Promise<boolean> {
  try {
    await fencedFiles.reach(file);
    return (await stat(file)).isFile();
  } catch {
    return true;
  }
}

async function readJson(file: string): Promise<Json> {
  const bytes = await fencedFiles.read(file, maxConfigBytes);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (cause) {
    throw invalid(`${path.basename(file)} is not JSON: ${messageOf(cause)}`, cause);
  }
  return objectOf(value, path.basename(file));
}

function objectOf(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} is not an object`);
  return value as Json;
}

function arrayOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} is not a list`);
  return value;
}

function quote(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 150) ?? 'undefined';
}

function invalid(why: string, cause?: unknown): GantryError {
  return failure('failed-precondition', { act: 'read network configuration', why, cause });
}
