/** `image load`: from an archive to images that are here, read from top to bottom. */
import { during, failure } from '../../base/errors.ts';
import type { Digest } from '../../base/digest.ts';
import type { CallContext, LoadedImage, LoadOptions } from '../../engine/engine.ts';
import { badArchive } from '../../part/archive/archive-index.ts';
import { parseReference } from '../../part/registry/reference.ts';
import { spoolArchive } from './archive-spool.ts';
import type { ArchiveSpool } from './archive-spool.ts';
import { checkArchivePolicy } from './check-policy.ts';
import type { ImageDeps } from './image-deps.ts';
import { readArchive } from './read-archive.ts';
import type { ArchivedImage, ArchivedLayer } from './read-archive.ts';
import { storeImage } from './store-image.ts';
import type { StorableImage } from './store-image.ts';

/**
 * Loads every image of the archive, one after the other, each wholly or not at all; the documents, the signature policy and the digests of
 * all of them are checked before the first is stored. When one fails, its error says which are loaded, and what it had brought is removed.
 */
export async function loadImages(deps: ImageDeps, bytes: AsyncIterable<Uint8Array>, options: LoadOptions, ctx: CallContext): Promise<LoadedImage[]> {
  const name = options.name === undefined ? undefined : parseReference(options.name);
  if (name?.digest !== undefined) throw failure('invalid-argument', { act: 'name image', object: options.name!, why: 'a digest is what an image has, not what it is called: give a name with a tag' });
  const loaded: LoadedImage[] = [];
  try {
    const spool = await ctx.stages.run('receive', () => spoolArchive(deps, bytes, ctx.signal));
    try {
      const images = await ctx.stages.run('read', () => readArchive(spool, { platform: deps.platform, name }));
      await ctx.stages.run('policy', () => checkArchivePolicy(deps.trustFiles, images));
      const blobs = await ctx.stages.run('verify', () => verifyLayers(deps, { spool, images, signal: ctx.signal }));
      for (const image of images) loaded.push(await ctx.stages.run('store', () => storeImage(deps, storable({ spool, image, blobs }), ctx.signal)));
    } finally {
      await spool.close();
    }
    return loaded;
  } catch (error) {
    const before = loaded.length === 0 ? '' : ` (loaded before: ${loaded.map((image) => image.names[0] ?? image.id).join(', ')})`;
    throw during(error, { act: `load image archive${before}` });
  }
}

type Blobs = ReadonlyMap<ArchivedLayer['file'], Digest>;

/** The digests of the layers that are not here yet, as they are in the archive. Not what the archive says: failed-precondition. */
async function verifyLayers(deps: ImageDeps, { spool, images, signal }: { spool: ArchiveSpool; images: readonly ArchivedImage[]; signal: AbortSignal }): Promise<Blobs> {
  const blobs = new Map<ArchivedLayer['file'], Digest>();
  const missing = images.flatMap((image) => image.layers).filter((layer) => deps.layers.get(layer.diffId) === undefined);
  for (const { file, digest, name } of missing) {
    if (signal.aborted) throw failure('cancelled', { act: 'verify layers' });
    const actual = blobs.get(file) ?? (await spool.digestOf(file, signal));
    if (digest !== undefined && digest !== actual) throw badArchive(`its content has the digest ${actual}`, name);
    blobs.set(file, actual);
  }
  return blobs;
}

/** How to have the image's layers out of the spool. */
function storable({ spool, image, blobs }: { spool: ArchiveSpool; image: ArchivedImage; blobs: Blobs }): StorableImage {
  return {
    ...image,
    layers: image.layers.map(({ diffId, file }) => ({
      diffId,
      source: async (signal) => {
        const blob = blobs.get(file) ?? (await spool.digestOf(file, signal)); // it was here a moment ago, and has been removed since
        return { expected: { blob, size: file.size, diffId }, open: () => spool.read(file) };
      },
    })),
  };
}
