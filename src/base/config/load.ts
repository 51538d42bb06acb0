/**
 * Reading the configuration: defaults, then the file, then its drop-ins, then the environment, then the flags; each
 * wins over those before it, setting by setting. All that is wrong is found in one go.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failure, hasCode, messageOf } from '../errors.ts';
import { configVariable, readEnvironment, strayVariables } from './environment-layer.ts';
import type { Environment } from './environment-layer.ts';
import { readFlags } from './flags-layer.ts';
import type { CommandLine } from './flags-layer.ts';
import { keyedSettings, namedTables } from './keys.ts';
import { unfit } from './layer.ts';
import type { Entry, Layer } from './layer.ts';
import { contradictions } from './schema.ts';
import type { Config } from './schema.ts';
import { readToml } from './toml-layer.ts';
import { tomlName } from './tree.ts';
import { assemble } from './values.ts';

/** The file that is read when none is named; it need not exist. */
export const defaultConfigFile = '/etc/gantry/config.toml';

const largestFile = 1 << 20;

export interface ConfigSources {
  /** The file that `--config` names. */
  readonly configFile?: string | undefined;
  readonly flags: CommandLine['flags'];
  readonly environment: Environment;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The same by key (`runtime.handlers.crun.path`), each with where it came from. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** The files that were read, in order. */
  readonly files: readonly string[];
}

/** What reading found: every problem, or none and the configuration. */
export interface ConfigReading {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly loaded?: LoadedConfig;
}

/** Reads and checks the whole configuration. Never throws: what cannot be read is a problem too. */
export async function readConfig(sources: ConfigSources): Promise<ConfigReading> {
  const files = await readFiles(sources);
  const layers = [defaults(), ...files.map((file) => file.layer), readEnvironment(sources.environment), readFlags(sources.flags)];
  const warnings = strayVariables(sources.environment);
  const entries = new Map(layers.flatMap((layer) => [...layer.entries]));
  const problems = layers.flatMap((layer) => layer.problems);
  if (problems.length > 0) return { problems, warnings };

  const config = assemble(entries);
  const faults = contradictions(config).map((fault) => unfit({ ...fault, origin: entries.get(fault.key)?.origin ?? 'default' }));
  if (faults.length > 0) return { problems: faults, warnings };
  return { problems, warnings, loaded: { config, entries, files: files.map((file) => file.path) } };
}

/** As readConfig, but problems are thrown together as one invalid-argument. */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig & { warnings: readonly string[] }> {
  const { loaded, problems, warnings } = await readConfig(sources);
  if (loaded === undefined) throw failure('invalid-argument', { act: 'load configuration', why: problems.join('\n') });
  return { ...loaded, warnings };
}

/** The layer that is always there. */
export function defaults(): Layer {
  const origin = 'default';
  const entries = new Map<string, Entry>();
  for (const { key, setting } of keyedSettings) entries.set(key, { value: setting.default, origin });
  for (const [parent, { defaults, entry }] of namedTables) {
    for (const [name, members] of Object.entries(defaults)) {
      for (const [member, setting] of Object.entries(entry.members)) entries.set(`${parent}.${name}.${tomlName(member)}`, { value: members[member] ?? setting.default, origin });
    }
  }
  return { entries, problems: [] };
}

interface ReadFile {
  readonly path: string;
  readonly layer: Layer;
}

async function readFiles(sources: ConfigSources): Promise<ReadFile[]> {
  const named = sources.configFile ?? (sources.environment[configVariable] || undefined);
  const path = named ?? defaultConfigFile;
  const read = await Promise.all([readOne(path, named === undefined), readDropIns(`${path}.d`)]);
  return read.flat().filter((file) => file !== undefined);
}

/** The drop-ins of a file, `<file>.d/*.toml`, in the order in which they count: by name. */
async function readDropIns(folder: string): Promise<(ReadFile | undefined)[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    return hasCode(error, 'ENOENT') ? [] : [unreadable(folder, error)];
  }
  const dropIns = names.filter((name) => name.endsWith('.toml') && !name.startsWith('.')).sort();
  return Promise.all(dropIns.map((name) => readOne(join(folder, name), false)));
}

async function readOne(path: string, mayBeAbsent: boolean): Promise<ReadFile | undefined> {
  try {
    const facts = await stat(path);
    if (!facts.isFile()) throw new Error('not a regular file');
    if (facts.size > largestFile) throw new Error(`larger than ${largestFile} bytes`);
    return { path, layer: readToml(await readFile(path, 'utf8'), path) };
  } catch (error) {
    if (mayBeAbsent && hasCode(error, 'ENOENT')) return undefined;
    return unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): ReadFile {
  const why = hasCode(error, 'ENOENT') ? 'no such file' : messageOf(error);
  return { path, layer: { entries: new Map(), problems: [`${path}: ${why}`] } };
}
