/**
 * containerd's image store as it lies on the disk: names, documents and blobs of a namespace, and where layers are unpacked. It is read only, and
 * may be in use.
 *
 *   io.containerd.metadata.v1.bolt/meta.db                    v1/<namespace>/images/<name>/target: what a name stands for
 *                                                             v1/<namespace>/snapshots/overlayfs/<chain id>: its name for the snapshotter
 *   io.containerd.content.v1.content/blobs/sha256/<hex>       manifests, configurations and packed layers
 *   io.containerd.snapshotter.v1.overlayfs/metadata.db        v1/snapshots/<name>: its number
 *   io.containerd.snapshotter.v1.overlayfs/snapshots/<n>/fs   an unpacked layer
 */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chainIdsOf, digestOf, hexOf, isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure, isKind, messageOf } from '../../base/errors.ts';
import { readBoltFile } from './bolt-file.ts';
import type { BoltBucket } from './bolt-file.ts';

export interface ContainerdStore {
  readonly root: string;
  readonly namespace: string;
  /** In the order of their digests. */
  readonly images: readonly ContainerdImage[];
  /** Where layers are unpacked, by their chain ids (OCI image-spec, config.md). */
  readonly snapshots: ReadonlyMap<Digest, string>;
}

export interface ContainerdImage {
  /** Of the manifest or index that its names stand for. */
  readonly target: Digest;
  readonly mediaType: string;
  /** As containerd writes them; not the ids that its CRI keeps among the names. */
  readonly names: readonly string[];
}

const act = "read containerd's image store";
const snapshotter = 'overlayfs';

/** What containerd has in a namespace. No store there, or no such namespace: not-found. Damaged: failed-precondition. */
export async function openContainerdStore({ root, namespace }: { root: string; namespace: string }): Promise<ContainerdStore> {
  const version = (await readBoltFile(join(root, 'io.containerd.metadata.v1.bolt', 'meta.db'))).bucket('v1');
  const found = version?.bucket(namespace);
  if (found === undefined) {
    const others = (version?.bucketNames() ?? []).filter((name) => version?.bucket(name)?.bucket('images') !== undefined);
    throw failure('not-found', { act, object: root, why: `it has no namespace ${JSON.stringify(namespace)}; it has ${others.join(', ') || 'none'}` });
  }
  return { root, namespace, images: imagesIn(found), snapshots: await snapshotsIn(root, found) };
}

/** A blob's bytes, checked; for documents, which are small. Gone, or not what its digest says: failed-precondition. */
export async function readContainerdDocument(store: ContainerdStore, digest: Digest): Promise<Buffer> {
  const file = blobFile(store, digest);
  const bytes = await readFile(file).catch((error: unknown) => { throw failure('failed-precondition', { act, object: file, why: messageOf(error) }); });
  const actual = digestOf(bytes);
  if (actual !== digest) throw failure('failed-precondition', { act, object: file, why: `its content has the digest ${actual}` });
  return bytes;
}

/** A blob as a stream. One that containerd has thrown away after unpacking it: failed-precondition. */
export async function openContainerdBlob(store: ContainerdStore, digest: Digest): Promise<() => AsyncIterable<Buffer>> {
  const file = blobFile(store, digest);
  const isThere = await stat(file).then(() => true, () => false);
  if (!isThere) throw failure('failed-precondition', { act, object: digest, why: 'containerd has only unpacked this layer (discard_unpacked_layers), and no one can tell whether that is still what it was: pull the image again' });
  return () => createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
}

/** The directories of unpacked layers, lowest first; undefined for those that are not unpacked here. */
export function findContainerdLayers({ snapshots }: ContainerdStore, diffIds: readonly Digest[]): (string | undefined)[] {
  return chainIdsOf(diffIds).map((chainId) => snapshots.get(chainId));
}

function imagesIn(namespace: BoltBucket): ContainerdImage[] {
  const images = new Map<Digest, { target: Digest; mediaType: string; names: string[] }>();
  const names = namespace.bucket('images');
  for (const name of names?.bucketNames() ?? []) {
    const target = names?.bucket(name)?.bucket('target');
    const digest = target?.value('digest')?.toString() ?? '';
    if (!isDigest(digest)) continue;
    const image = images.get(digest) ?? { target: digest, mediaType: target?.value('mediatype')?.toString() ?? '', names: [] };
    if (!isDigest(name)) image.names.push(name);
    images.set(digest, image);
  }
  return [...images.values()].sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** An unpacked layer that is not found is only slower to take over: whatever is wrong with the snapshotter's database, it is as if it had none. */
async function snapshotsIn(root: string, namespace: BoltBucket): Promise<Map<Digest, string>> {
  const folder = join(root, `io.containerd.snapshotter.v1.${snapshotter}`);
  const found = new Map<Digest, string>();
  const keys = namespace.bucket('snapshots')?.bucket(snapshotter);
  const numbers = await readNumbers(join(folder, 'metadata.db'));
  for (const key of keys?.bucketNames() ?? []) {
    const name = keys?.bucket(key)?.value('name')?.toString();
    const number = name === undefined ? undefined : numbers?.bucket(name)?.value('id');
    if (isDigest(key) && number !== undefined) found.set(key, join(folder, 'snapshots', String(uvarint(number)), 'fs'));
  }
  return found;
}

async function readNumbers(file: string): Promise<BoltBucket | undefined> {
  try {
    return (await readBoltFile(file)).bucket('v1')?.bucket('snapshots');
  } catch (error) {
    if (isKind(error, 'not-found') || isKind(error, 'failed-precondition')) return undefined;
    throw error;
  }
}

/** A number in groups of seven bits, the lowest first. */
function uvarint(bytes: Buffer): bigint {
  let value = 0n;
  for (const [n, byte] of bytes.entries()) {
    value |= BigInt(byte & 0x7f) << BigInt(7 * n);
    if (byte < 0x80) break;
  }
  return value;
}

function blobFile({ root }: ContainerdStore, digest: Digest): string {
  return join(root, 'io.containerd.content.v1.content', 'blobs', 'sha256', hexOf(digest));
}
