/** The JSON documents of a checkpoint. What is written is for others to read; what is read may come from anybody, so nothing of it is taken for what it should be. */
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import { archiveNames } from './archive-names.ts';

/** What `config.dump` says: the part of Podman's container configuration that all writers of checkpoints agree on. */
export interface CheckpointedContainer {
  readonly id: string;
  readonly name: string;
  /** As the user named the image. */
  readonly image: string;
  /** Its id. */
  readonly imageId: string;
  readonly handler: string;
  readonly createdAt: Date;
  readonly capturedAt: Date;
}

/** Nothing that any writer puts into a document comes near it. */
export const maxDocumentBytes = 16 * 2 ** 20;

export function formatContainer(container: CheckpointedContainer): Buffer {
  return jsonOf({
    id: container.id,
    name: container.name,
    rootfsImage: container.image,
    rootfsImageRef: container.imageId,
    rootfsImageName: container.image,
    runtime: container.handler,
    createdTime: container.createdAt.toISOString(),
    checkpointedTime: container.capturedAt.toISOString(),
    restoredTime: '0001-01-01T00:00:00Z', // Go's "never": readers decode a time here
    restored: false,
  });
}

/** Names of the image, the best one first, and the container's name. */
export function parseContainer(bytes: Buffer): { readonly name: string; readonly images: readonly string[] } {
  const { name, rootfsImageRef, rootfsImageName, rootfsImage } = objectOf(archiveNames.config, bytes);
  const images = [rootfsImageRef, rootfsImageName, rootfsImage].filter((one): one is string => typeof one === 'string' && one !== '');
  if (images.length === 0) throw badCheckpoint(`${archiveNames.config} does not say which image the container is of`);
  return { name: typeof name === 'string' ? name : '', images };
}

/** What a restore looks at of `spec.dump`: nothing of it is ever made, all of it is compared. */
export interface CheckpointedSpec {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly terminal: boolean;
  readonly uid: number;
  readonly gid: number;
  /** Where something of the node was mounted. */
  readonly bindMounts: readonly string[];
  readonly namespaces: readonly string[];
}

export function parseSpec(bytes: Buffer): CheckpointedSpec {
  const spec = objectOf(archiveNames.spec, bytes);
  const process = inner(spec, 'process');
  const user = inner(process, 'user');
  const mounts = listIn(spec, 'mounts').map(recordOf);
  return {
    args: texts(listIn(process, 'args')),
    env: texts(listIn(process, 'env')),
    cwd: typeof process['cwd'] === 'string' ? process['cwd'] : '',
    terminal: process['terminal'] === true,
    uid: Number(user['uid'] ?? 0),
    gid: Number(user['gid'] ?? 0),
    bindMounts: texts(mounts.filter(isBind).map((mount) => mount['destination'])),
    namespaces: texts(listIn(inner(spec, 'linux'), 'namespaces').map((one) => recordOf(one)['type'])),
  };
}

/** The paths of `deleted.files`, without the slash in front. A path that leads elsewhere by `..` is no path of a root. */
export function parseDeletedFiles(bytes: Buffer): string[] {
  const value = valueOf(archiveNames.deletedFiles, bytes);
  if (value === null) return [];
  if (!Array.isArray(value) || value.some((path) => typeof path !== 'string')) throw badCheckpoint(`${archiveNames.deletedFiles} is no list of paths`);
  return (value as string[]).map((path) => {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    if (names.length === 0 || names.includes('..') || path.includes('\0')) throw badCheckpoint(`${archiveNames.deletedFiles} names ${JSON.stringify(path.slice(0, 200))}, which is no path in a root`);
    return names.join('/');
  });
}

/** A 64-bit number is a text, as in protobuf's JSON. */
export function jsonOf(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one), 2)}\n`);
}

/** For what is wrong with a checkpoint itself. */
export function badCheckpoint(why: string): GantryError {
  return failure('failed-precondition', { act: 'read checkpoint', why });
}

type Fields = Readonly<Record<string, unknown>>;

function isBind({ type, options }: Fields): boolean {
  return type === 'bind' || (Array.isArray(options) && (options.includes('bind') || options.includes('rbind')));
}

function valueOf(name: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw failure('failed-precondition', { act: 'read checkpoint', why: `${name} is no JSON`, cause });
  }
}

function objectOf(name: string, bytes: Buffer): Fields {
  const value = valueOf(name, bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badCheckpoint(`${name} is no JSON object`);
  return value as Fields;
}

function recordOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? value as Fields : {};
}

function inner(fields: Fields, name: string): Fields {
  return recordOf(fields[name]);
}

function listIn(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  return Array.isArray(value) ? value : [];
}

function texts(values: readonly unknown[]): string[] {
  return values.filter((value): value is string => typeof value === 'string');
}
