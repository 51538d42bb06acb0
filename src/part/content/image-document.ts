/** The image configuration document (OCI image-spec, config.md): what its digest, the image id, stands for. */
import { isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';

/** How a container of the image runs unless told otherwise. Absent and null properties are left out. */
export interface ImageRunConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  /** Paths that want a volume; only the keys mean something. */
  readonly Volumes?: Readonly<Record<string, unknown>>;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
}

export interface ImageDocument {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
  readonly config: ImageRunConfig;
  /** Of the unpacked layers, lowest first. */
  readonly diffIds: readonly Digest[];
  /** RFC 3339, as the builder wrote it. */
  readonly created: string | undefined;
}

type Json = Record<string, unknown>;
type Refuse = (why: string) => GantryError;

/** Reads a configuration document; malformed is failed-precondition. */
export function parseImageDocument(bytes: Uint8Array, name: string): ImageDocument {
  const refuse: Refuse = (why) => failure('failed-precondition', { act: 'read image configuration', object: name, why });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw refuse('it is not JSON');
  }
  if (!isObject(value)) throw refuse('it is not a JSON object');
  const rootfs = value['rootfs'];
  if (!isObject(rootfs) || rootfs['type'] !== 'layers') throw refuse('it has no rootfs of type layers');
  return {
    os: readString(value, 'os', refuse) ?? 'linux',
    architecture: readString(value, 'architecture', refuse) ?? '',
    variant: readString(value, 'variant', refuse),
    config: readRunConfig(value['config'] ?? {}, refuse),
    diffIds: readDiffIds(rootfs['diff_ids'] ?? [], refuse),
    created: readString(value, 'created', refuse),
  };
}

function readRunConfig(value: unknown, refuse: Refuse): ImageRunConfig {
  if (!isObject(value)) throw refuse('config is not an object');
  return withoutUndefined({
    User: readString(value, 'User', refuse),
    Env: readStrings(value, 'Env', refuse),
    Entrypoint: readStrings(value, 'Entrypoint', refuse),
    Cmd: readStrings(value, 'Cmd', refuse),
    WorkingDir: readString(value, 'WorkingDir', refuse),
    Volumes: readObject(value, 'Volumes', refuse),
    Labels: readLabels(value, refuse),
    StopSignal: readString(value, 'StopSignal', refuse),
  });
}

function readDiffIds(value: unknown, refuse: Refuse): Digest[] {
  if (!Array.isArray(value)) throw refuse('rootfs.diff_ids is not a list');
  return value.map((item: unknown) => {
    if (typeof item !== 'string' || !isDigest(item)) throw refuse('rootfs.diff_ids holds something that is no sha256 digest');
    return item;
  });
}

function readString(object: Json, key: string, refuse: Refuse): string | undefined {
  const value = object[key] ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw refuse(`${key} is not a string`);
  return value === '' ? undefined : value;
}

function readStrings(object: Json, key: string, refuse: Refuse): string[] | undefined {
  const value = object[key] ?? undefined;
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw refuse(`${key} is not a list of strings`);
  return value;
}

function readObject(object: Json, key: string, refuse: Refuse): Json | undefined {
  const value = object[key] ?? undefined;
  if (value !== undefined && !isObject(value)) throw refuse(`${key} is not an object`);
  return value;
}

function readLabels(object: Json, refuse: Refuse): Record<string, string> | undefined {
  const labels = readObject(object, 'Labels', refuse);
  if (labels !== undefined && !Object.values(labels).every((label) => typeof label === 'string')) throw refuse('Labels holds something that is no string');
  return labels as Record<string, string> | undefined;
}

function withoutUndefined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
