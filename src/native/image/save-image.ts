/** `image save` and `image export`: images as one archive, from which the same images come back, under the same ids. */
import { digestOf, hexOf } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { during, failure } from '../../base/errors.ts';
import type { ArchiveFormat, CallContext } from '../../engine/engine.ts';
import { dockerManifestName, formatDockerManifest } from '../../part/archive/docker-archive.ts';
import { blobName, formatLayoutIndex, formatLayoutVersion, formatManifest, layoutIndexName, layoutName } from '../../part/archive/oci-layout.ts';
import { fileOf, tarStream } from '../../base/tar-stream.ts';
import type { TarFile } from '../../base/tar-stream.ts';
import type { LayerTar } from '../../part/layer/layer-store.ts';
import type { ImageDeps } from './image-deps.ts';
import type { ImageRecord } from './image-records.ts';
import { givenTag } from './image-names.ts';
import { sweepUnneeded } from './remove-image.ts';

interface SavedImage {
  readonly id: Digest;
  readonly config: Buffer;
  readonly repoTags: readonly string[];
  /** Lowest first. */
  readonly layers: readonly { readonly digest: Digest; readonly tar: LayerTar }[];
}

/**
 * Yields the archive. Layers are uncompressed: exact, and faster than anything that follows. An image is in it once, with the tags among `names`; one
 * that is named by its id or digest has no tag in there. All that can be refused is refused before the first byte, but for a layer whose
 * files were changed on disk (failed-precondition): then the archive ends in an error and is worth nothing.
 */
export async function* saveImages(deps: ImageDeps, names: readonly string[], format: ArchiveFormat, ctx: CallContext): AsyncGenerator<Uint8Array> {
  if (names.length === 0) throw failure('invalid-argument', { act: 'save images', why: 'no image is named' });
  const chosen = chooseImages(deps, names);
  const release = deps.holds.hold(chosen.flatMap(({ record }) => [record.id, ...record.layers]));
  try {
    const images: SavedImage[] = [];
    for (const { record, repoTags } of chosen) images.push(await prepare(deps, record, repoTags));
    const files = format === 'docker-archive' ? dockerFiles(images) : layoutFiles(images);
    for await (const piece of tarStream(files)) {
      if (ctx.signal.aborted) throw failure('cancelled', { act: 'write archive' });
      yield piece;
    }
  } catch (error) {
    throw during(error, { act: 'save images', object: names.join(', ') });
  } finally {
    release();
    if (chosen.some(({ record }) => deps.records.get(record.id) === undefined)) await sweepUnneeded(deps);
  }
}

function chooseImages(deps: Pick<ImageDeps, 'records'>, names: readonly string[]): { record: ImageRecord; repoTags: string[] }[] {
  const chosen = new Map<Digest, { record: ImageRecord; repoTags: string[] }>();
  for (const name of names) {
    const record = deps.records.find(name);
    if (record === undefined) throw failure('not-found', { act: 'save image', object: name, why: 'it is not on this node' });
    const tag = givenTag(record, name);
    const known = chosen.get(record.id)?.repoTags ?? [];
    chosen.set(record.id, { record, repoTags: tag === undefined || known.includes(tag) ? known : [...known, tag] });
  }
  return [...chosen.values()];
}

async function prepare(deps: ImageDeps, record: ImageRecord, repoTags: readonly string[]): Promise<SavedImage> {
  const config = await deps.content.get(record.id);
  return { id: record.id, config, repoTags, layers: record.layers.map((digest) => ({ digest, tar: deps.layers.tarOf(digest) })) };
}

/** The layers' tars are their own uncompressed blobs: the diff id is the digest. */
function dockerFiles(images: readonly SavedImage[]): TarFile[] {
  const configName = (image: SavedImage): string => `${hexOf(image.id)}.json`;
  const layerName = (digest: Digest): string => `${hexOf(digest)}.tar`;
  const manifest = images.map((image) => ({ config: configName(image), repoTags: image.repoTags, layers: image.layers.map(({ digest }) => layerName(digest)) }));
  return once([
    fileOf(dockerManifestName, formatDockerManifest(manifest)),
    ...images.map((image) => fileOf(configName(image), image.config)),
    ...images.flatMap(({ layers }) => layers.map(({ digest, tar }) => ({ name: layerName(digest), size: tar.bytes, read: tar.read }))),
  ]);
}

function layoutFiles(images: readonly SavedImage[]): TarFile[] {
  const manifests = images.map((image) => {
    const bytes = formatManifest({ digest: image.id, size: image.config.length }, image.layers.map(({ digest, tar }) => ({ digest, size: tar.bytes })));
    return { bytes, digest: digestOf(bytes), size: bytes.length, names: image.repoTags };
  });
  return once([
    fileOf(layoutName, formatLayoutVersion()),
    fileOf(layoutIndexName, formatLayoutIndex(manifests)),
    ...manifests.map(({ bytes, digest }) => fileOf(blobName(digest), bytes)),
    ...images.map((image) => fileOf(blobName(image.id), image.config)),
    ...images.flatMap(({ layers }) => layers.map(({ digest, tar }) => ({ name: blobName(digest), size: tar.bytes, read: tar.read }))),
  ]);
}

/** Layers that images share are in the archive once. */
function once(files: readonly TarFile[]): TarFile[] {
  return [...new Map(files.map((file) => [file.name, file])).values()];
}
