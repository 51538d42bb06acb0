import type { DiskUsageResponse, ImageUsage } from '../../gen/admin.ts';
import type { FilesystemUsage } from '../../gen/cri.ts';
import { filesystemOf } from '../../host/filesystem-of.ts';
import type { ImageSummary } from '../api/engine-answers.ts';
import { namesOf } from './cri-image.ts';
import type { ImageDeps } from './image-deps.ts';
import type { LayerSize, LayerSizes } from './layer-sizes.ts';

/** What the images take of the Engine's disk. What containers wrote is in their stats; which of the Engine's layers are whose is its own business. */
export async function diskUsage(deps: ImageDeps, sizes: LayerSizes): Promise<DiskUsageResponse> {
  const [{ DockerRootDir }, images] = await Promise.all([deps.info(), listImages(deps)]);
  const layers = await sizes.of(images.map(({ Id }) => Id));
  const containers = deps.mirror.containers.all();
  const used = images.map((image) => imageUsage(image, { layers, containers: containers.filter(({ engine }) => engine.Image === image.Id).length }));
  const { mountPoint: mountpoint, sizeBytes, availableBytes } = await filesystemOf(DockerRootDir);
  return { images: used, layers: [], partialDownloads: [], containers: [], filesystems: [{ mountpoint, imageBytes: eachOnce(layers), containerBytes: 0n, partialBytes: 0n, sizeBytes, availableBytes }] };
}

function imageUsage(image: ImageSummary, { layers, containers }: { layers: ReadonlyMap<string, readonly LayerSize[]>; containers: number }): ImageUsage {
  const own = layers.get(image.Id) ?? [];
  const others = new Set([...layers].filter(([id]) => id !== image.Id).flatMap(([, list]) => list.map(({ key }) => key)));
  const sum = (list: readonly LayerSize[]): bigint => list.reduce((total, { bytes }) => total + bytes, 0n);
  const [totalBytes, exclusiveBytes] = [sum(own), sum(own.filter(({ key }) => !others.has(key)))];
  return { id: image.Id, ...namesOf(image), totalBytes, exclusiveBytes, sharedBytes: totalBytes - exclusiveBytes, layers: own.length, containers };
}

/** What all images take, each layer once; for the kubelet's image garbage collection. */
export async function imageFilesystem(deps: ImageDeps, sizes: LayerSizes): Promise<FilesystemUsage> {
  const { DockerRootDir } = await deps.info();
  const images = await listImages(deps);
  const layers = await sizes.of(images.map(({ Id }) => Id));
  // How many files they have, the Engine does not say, and nobody counts them for it.
  return { timestamp: BigInt(Date.now()) * 1_000_000n, fsId: { mountpoint: DockerRootDir }, usedBytes: { value: eachOnce(layers) }, inodesUsed: undefined };
}

/** Containers write to the Engine's disk as well; their figures are in their stats. */
export async function containerFilesystem(deps: ImageDeps): Promise<FilesystemUsage> {
  const { DockerRootDir } = await deps.info();
  return { timestamp: BigInt(Date.now()) * 1_000_000n, fsId: { mountpoint: DockerRootDir }, usedBytes: undefined, inodesUsed: undefined };
}

/** Layers that several images share count once. */
function eachOnce(layers: ReadonlyMap<string, readonly LayerSize[]>): bigint {
  return [...new Map([...layers.values()].flat().map(({ key, bytes }) => [key, bytes])).values()].reduce((sum, bytes) => sum + bytes, 0n);
}

export async function listImages({ api }: ImageDeps): Promise<ImageSummary[]> {
  return await api.call<ImageSummary[]>({ act: { act: 'list images' }, path: '/images/json' });
}
