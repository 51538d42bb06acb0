/** What takes which place on the disk: sums over records and counters, no walk. */
import { join } from 'node:path';
import type { Digest } from '../../base/digest.ts';
import type { DiskUsageResponse, FilesystemTotals, ImageUsage, LayerUsage } from '../../gen/admin.ts';
import { filesystemOf } from '../../host/filesystem-of.ts';
import type { LayerRecord } from '../../part/layer/layer-store.ts';
import { documentBytes } from './fs-info.ts';
import type { ImageDeps } from './image-deps.ts';
import type { ImageRecord } from './image-records.ts';

export async function diskUsage(deps: ImageDeps): Promise<DiskUsageResponse> {
  const [images, layers] = [deps.records.all(), deps.layers.all()];
  const containers = deps.containerUsages();
  const partialDownloads = deps.layers.partials.all().map(({ digest, bytes }) => ({ digest, bytes: BigInt(bytes) }));
  return {
    images: images.map((image) => imageUsage(image, { images, layers, containers: deps.usedBy(image.id).length })),
    layers: layers.map((layer) => layerUsage(layer, images)),
    partialDownloads,
    containers,
    filesystems: await filesystemTotals([
      { path: deps.layers.directory, of: 'imageBytes', bytes: placeOfImages(images, layers) },
      { path: join(deps.root, 'containers'), of: 'containerBytes', bytes: sum(containers.map(({ bytes }) => bytes)) },
      { path: deps.root, of: 'partialBytes', bytes: sum(partialDownloads.map(({ bytes }) => bytes)) },
    ]),
  };
}

/** All that images take: their layers and documents, each once, and the layers that no image has. */
export function placeOfImages(images: readonly ImageRecord[], layers: readonly LayerRecord[]): bigint {
  const documents = new Map(images.flatMap((image) => image.documents.map(({ digest, size }) => [digest, documentBytes(size)])));
  return sum([...layers.map(({ bytes }) => BigInt(bytes)), ...documents.values()]);
}

/** What an image takes, and how much of it no other image needs. A layer that it has twice counts once. */
export function imageUsage(image: ImageRecord, { images, layers, containers }: { images: readonly ImageRecord[]; layers: readonly LayerRecord[]; containers: number }): ImageUsage {
  const sizes = new Map(layers.map(({ diffId, bytes }) => [diffId, BigInt(bytes)]));
  const own = piecesOf(image, sizes);
  const ofOthers = new Set(images.filter(({ id }) => id !== image.id).flatMap((other) => [...piecesOf(other, sizes).keys()]));
  const totalBytes = sum([...own.values()]);
  const exclusiveBytes = sum([...own].filter(([digest]) => !ofOthers.has(digest)).map(([, bytes]) => bytes));
  return {
    id: image.id, repoTags: [...image.repoTags], repoDigests: [...image.repoDigests],
    totalBytes, exclusiveBytes, sharedBytes: totalBytes - exclusiveBytes,
    layers: new Set(image.layers).size, containers,
  };
}

/** The layers and documents of an image with what each takes. */
function piecesOf(image: ImageRecord, sizes: ReadonlyMap<Digest, bigint>): Map<Digest, bigint> {
  return new Map([
    ...image.layers.map((diffId): [Digest, bigint] => [diffId, sizes.get(diffId) ?? 0n]),
    ...image.documents.map(({ digest, size }): [Digest, bigint] => [digest, documentBytes(size)]),
  ]);
}

/** What a layer takes, and which images have it. */
export function layerUsage({ diffId, bytes, inodes }: LayerRecord, images: readonly ImageRecord[]): LayerUsage {
  return { diffId, bytes: BigInt(bytes), inodes: BigInt(inodes), imageIds: images.filter(({ layers }) => layers.includes(diffId)).map(({ id }) => id) };
}

interface Place {
  readonly path: string;
  readonly of: 'imageBytes' | 'containerBytes' | 'partialBytes';
  readonly bytes: bigint;
}

/** The places by the filesystem that each lies on. */
async function filesystemTotals(places: readonly Place[]): Promise<FilesystemTotals[]> {
  const totals = new Map<string, FilesystemTotals>();
  for (const { path, of, bytes } of places) {
    const { mountPoint: mountpoint, sizeBytes, availableBytes } = await filesystemOf(path);
    const known = totals.get(mountpoint) ?? { mountpoint, imageBytes: 0n, containerBytes: 0n, partialBytes: 0n, sizeBytes, availableBytes };
    totals.set(mountpoint, { ...known, [of]: known[of] + bytes });
  }
  return [...totals.values()];
}

function sum(bytes: readonly bigint[]): bigint {
  return bytes.reduce((total, one) => total + one, 0n);
}

