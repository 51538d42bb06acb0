/**
 * Docker's image store as it lies on the disk (its `overlay2` driver): images, their names, and where each of their layers is unpacked. It is read
 * only, and may be in use; what Docker is writing at that moment may be told as damaged.
 *
 *   image/overlay2/repositories.json                  names → ids
 *   image/overlay2/imagedb/content/sha256/<id>        the configuration document
 *   image/overlay2/layerdb/sha256/<chain id>/         `diff`, `cache-id`, `tar-split.json.gz`
 *   overlay2/<cache id>/diff                          the unpacked layer
 *
 * A layer's chain id is its diff id for the lowest one, and above it the digest of "<chain id below> <diff id>" (OCI image-spec, config.md).
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chainIdsOf, digestOf, hexOf, isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import { damagedStore } from './damaged-store.ts';
import type { SplitTar } from './split-tar.ts';

export interface DockerStore {
  /** Docker's data root. */
  readonly root: string;
  /** In the order of their ids. */
  readonly images: readonly DockerImage[];
}

export interface DockerImage {
  readonly id: Digest;
  /** As Docker writes them: `busybox:latest`, `registry.example/web@sha256:…`. */
  readonly names: readonly string[];
}

const driver = 'overlay2';

/** What Docker has. No store there: not-found. Another storage driver, or an index that cannot be read: failed-precondition. */
export async function openDockerStore(root: string): Promise<DockerStore> {
  const folder = join(root, 'image', driver);
  if (!(await exists(folder))) throw await whyNoStore(root);
  const names = await readNames(join(folder, 'repositories.json'));
  const ids = await readdir(join(folder, 'imagedb', 'content', 'sha256')).catch(() => []);
  const images = ids.map((hex) => `sha256:${hex}`).filter(isDigest).sort();
  return { root, images: images.map((id) => ({ id, names: names.get(id) ?? [] })) };
}

/** The image's configuration document, which must have the digest that is its name: else failed-precondition. */
export async function readDockerConfig({ root }: DockerStore, { id }: DockerImage): Promise<Buffer> {
  const file = join(root, 'image', driver, 'imagedb', 'content', 'sha256', hexOf(id));
  const bytes = await readFile(file).catch((error: unknown) => { throw damagedStore(file, messageOf(error)); });
  const actual = digestOf(bytes);
  if (actual !== id) throw damagedStore(file, `its content has the digest ${actual}`);
  return bytes;
}

/** Where the layers of an image lie, lowest first. Missing, or not the layer that it should be: failed-precondition. */
export async function findDockerLayers(store: DockerStore, diffIds: readonly Digest[]): Promise<SplitTar[]> {
  const chainIds = chainIdsOf(diffIds);
  const found: SplitTar[] = [];
  for (const [n, diffId] of diffIds.entries()) found.push(await findLayer(store.root, { chainId: chainIds[n]!, diffId }));
  return found;
}

async function findLayer(root: string, { chainId, diffId }: { chainId: Digest; diffId: Digest }): Promise<SplitTar> {
  const folder = join(root, 'image', driver, 'layerdb', 'sha256', hexOf(chainId));
  const [stated, cacheId] = await Promise.all(['diff', 'cache-id'].map(async (name) => (await readFile(join(folder, name), 'utf8').catch(() => '')).trim()));
  if (stated !== diffId) throw damagedStore(folder, stated === '' ? `it has no layer ${diffId}` : `it is the layer ${stated}, and should be ${diffId}`);
  if (!/^[0-9a-z-]+$/.test(cacheId!)) throw damagedStore(folder, 'it does not say where the layer is unpacked');
  const directory = join(root, driver, cacheId!, 'diff');
  if (!(await exists(directory))) throw damagedStore(directory, 'the unpacked layer is gone');
  return { directory, pieces: join(folder, 'tar-split.json.gz') };
}

async function readNames(file: string): Promise<Map<string, string[]>> {
  const names = new Map<string, string[]>();
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return '{}'; // there were never any
    throw error;
  });
  for (const repository of Object.values(objectOf(parse(text, file)['Repositories'] ?? {}, file))) {
    for (const [name, id] of Object.entries(objectOf(repository, file))) {
      if (typeof id === 'string') names.set(id, [...(names.get(id) ?? []), name]);
    }
  }
  return names;
}

function parse(text: string, file: string): Record<string, unknown> {
  try {
    return objectOf(JSON.parse(text), file);
  } catch (cause) {
    throw damagedStore(file, messageOf(cause));
  }
}

function objectOf(value: unknown, file: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw damagedStore(file, 'it is not what Docker writes there');
}

async function whyNoStore(root: string): Promise<Error> {
  const drivers = (await readdir(join(root, 'image')).catch(() => [])).filter((name) => name !== driver);
  if (drivers.length === 0) return failure('not-found', { act: "find Docker's image store", object: root, why: `it has no image/${driver}: name Docker's data root (docker info tells it as "Docker Root Dir")` });
  return failure('failed-precondition', { act: "read Docker's image store", object: root, why: `Docker keeps its images with the driver ${drivers.join(', ')}, and only ${driver} is read: move them with docker save and gantry image load` });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
