/** A checkpoint that a container is to be made of: found, unpacked beside everything else, and looked through before anything is made of it. */
import { closeSync, constants, createReadStream, existsSync, mkdirSync, openSync } from 'node:fs';
import { copyFile, open, readdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { duringOnce } from './during-once.ts';
import { during, failure, hasCode } from '../../base/errors.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import { openFileBeneath, readFileBeneath } from '../../host/beneath.ts';
import { archiveNames, inventoryName } from '../../part/checkpoint/archive-names.ts';
import { checkImageFolder } from '../../part/checkpoint/check-images.ts';
import { badCheckpoint, maxDocumentBytes, parseContainer, parseDeletedFiles, parseSpec } from '../../part/checkpoint/documents.ts';
import type { CheckpointedSpec } from '../../part/checkpoint/documents.ts';
import { whiteoutBlocks } from '../../part/checkpoint/whiteout-tar.ts';
import { defaultUnpackLimits } from '../../part/layer/unpack-limits.ts';
import { changesDir } from '../../part/snapshot/snapshotter.ts';
import { checkpointFolder } from './checkpoint-paths.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ResolvedImage } from '../image/image-catalog.ts';

/** Where a checkpoint is: a file of the node, or an unpacked image. */
export type CheckpointSource = { readonly archive: string } | { readonly layer: string };

export interface OpenedCheckpoint {
  /** Its parts, a copy of our own. */
  readonly folder: string;
  readonly name: string;
  /** What its image may be called here, the best name first. */
  readonly images: readonly string[];
  readonly spec: CheckpointedSpec;
  readonly deleted: readonly string[];
}

/** CRIU writes a few files for each process, and some for each kind of thing. */
const maxFiles = 1_000_000;

/**
 * Whether the config names a checkpoint in place of an image: the absolute path of an archive, or an image that holds the parts of one (as
 * `checkpointctl build` and CRI-O's recipe make them). Undefined for any other image, and for one that is not here.
 */
export function checkpointSource({ images }: Pick<ContainerDeps, 'images'>, config: ContainerConfig): CheckpointSource | undefined {
  const reference = config.image?.image ?? '';
  if (isAbsolute(reference)) return { archive: reference };
  const layers = layersOf(images, reference);
  const [layer] = layers ?? [];
  if (layer === undefined || layers!.length !== 1) return undefined;
  const isWhole = [archiveNames.config, archiveNames.spec, join(archiveNames.images, inventoryName)].every((name) => existsSync(join(layer, name)));
  return isWhole ? { layer } : undefined;
}

function layersOf(images: ContainerDeps['images'], reference: string): ResolvedImage['layers'] | undefined {
  try {
    return images.resolve(reference).layers;
  } catch {
    return undefined; // the lookup that follows says why
  }
}

/** Unpacks or copies it into a folder of the container `id`, an effect of it, and reads its documents. What is no checkpoint, or a broken one: failed-precondition. */
export async function openCheckpoint(deps: ContainerDeps, id: string, source: CheckpointSource, signal: AbortSignal): Promise<OpenedCheckpoint> {
  const folder = checkpointFolder(deps.roots, id);
  try {
    await deps.effects.make({ owner: id, kind: 'checkpoint-images', data: { path: folder } }, async () => {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      await ('archive' in source ? unpackArchive(deps, source.archive, folder, signal) : copyLayer(source.layer, folder, signal));
    });
    await checkImageFolder(join(folder, archiveNames.images));
    return {
      folder,
      ...parseContainer(documentOf(folder, archiveNames.config)),
      spec: parseSpec(documentOf(folder, archiveNames.spec)),
      deleted: parseDeletedFiles(readFileBeneath(folder, archiveNames.deletedFiles, maxDocumentBytes) ?? Buffer.from('[]')),
    };
  } catch (error) {
    throw duringOnce(error, { act: 'read checkpoint', object: 'archive' in source ? source.archive : 'image' });
  }
}

function documentOf(folder: string, name: string): Buffer {
  const bytes = readFileBeneath(folder, name, maxDocumentBytes);
  if (bytes === undefined) throw badCheckpoint(`it has no ${name}`);
  return bytes;
}

async function unpackArchive(deps: ContainerDeps, archive: string, folder: string, signal: AbortSignal): Promise<void> {
  const file = await open(archive, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw hasCode(cause, 'ENOENT') ? failure('not-found', { act: 'read checkpoint', why: 'there is no such file on this node', cause }) : during(cause, { act: 'open archive' });
  });
  try {
    if (!(await file.stat()).isFile()) throw badCheckpoint('it is not a regular file');
    await unpackInto(deps, folder, () => createReadStream('', { fd: file.fd, start: 0, autoClose: false }), signal);
  } finally {
    await file.close();
  }
}

/** Copies what an image has of a checkpoint: the image stays as it is. */
async function copyLayer(layer: string, folder: string, signal: AbortSignal): Promise<void> {
  const top: readonly string[] = [archiveNames.config, archiveNames.spec, archiveNames.rootChanges, archiveNames.deletedFiles];
  const images = (await readdir(join(layer, archiveNames.images))).map((name) => join(archiveNames.images, name));
  mkdirSync(join(folder, archiveNames.images), { mode: 0o700 });
  for (const name of [...top, ...images]) {
    signal.throwIfAborted();
    const file = openFileBeneath(layer, name);
    if (file === undefined) continue;
    try {
      await copyFile(`/proc/self/fd/${file}`, join(folder, name), constants.COPYFILE_FICLONE);
    } finally {
      closeSync(file);
    }
  }
}

/** Puts what the container had changed in its root into its writable layer, before that is mounted. */
export async function restoreRootChanges(deps: ContainerDeps, { folder, deleted }: OpenedCheckpoint, writable: string, signal: AbortSignal): Promise<void> {
  const changes = openFileBeneath(folder, archiveNames.rootChanges);
  try {
    if (changes === undefined && deleted.length === 0) return;
    const upper = changesDir('overlay', writable);
    mkdirSync(upper, { mode: 0o755 });
    const blocks = async function* (): AsyncGenerator<Uint8Array> {
      yield* whiteoutBlocks(deleted);
      if (changes === undefined) yield Buffer.alloc(1024);
      else yield* createReadStream('', { fd: changes, start: 0, autoClose: false });
    };
    await unpackInto(deps, upper, blocks, signal);
  } finally {
    if (changes !== undefined) closeSync(changes);
  }
}

async function unpackInto({ unpackers }: ContainerDeps, directory: string, bytes: () => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const outline = openSync('/dev/null', 'w');
  try {
    await unpackers.unpack({ directory, outline, expected: 'anything', limits: { ...defaultUnpackLimits, maxEntries: maxFiles }, signal, open: bytes });
  } finally {
    closeSync(outline);
  }
}
