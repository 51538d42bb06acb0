/** `gantry df`: the daemon's figures as tables. Data in, lines out. */
import { MeasuredBy } from '../../gen/admin.ts';
import type { ContainerUsage, DiskUsageResponse, ImageUsage, LayerUsage } from '../../gen/admin.ts';
import { humanAge, humanSize, shortId } from './human.ts';
import { tableLines, type Cell } from './table.ts';

interface Section {
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | Cell)[])[];
}

/** The tables that have something in them, each as its lines; the largest things first. */
export function dfTables(usage: DiskUsageResponse, nowMs: number, colour: boolean): string[][] {
  const sections: Section[] = [
    { header: ['IMAGE', 'IMAGE ID', 'TOTAL', 'EXCLUSIVE', 'SHARED', 'LAYERS', 'CONTAINERS'], rows: largestFirst(usage.images, (image) => image.totalBytes).map(imageRow) },
    { header: ['SHARED LAYER', 'SIZE', 'IMAGES'], rows: largestFirst(usage.layers.filter(({ imageIds }) => imageIds.length > 1), sizeOf).map((layer) => [...layerCells(layer), String(layer.imageIds.length)]) },
    { header: ['UNUSED LAYER', 'SIZE'], rows: largestFirst(usage.layers.filter(({ imageIds }) => imageIds.length === 0), sizeOf).map(layerCells) },
    { header: ['PARTIAL DOWNLOAD', 'SIZE'], rows: largestFirst(usage.partialDownloads, sizeOf).map(({ digest, bytes }) => [shortId(digest), humanSize(bytes)]) },
    { header: ['CONTAINER ID', 'NAME', 'POD', 'SIZE', 'INODES', 'MEASURED'], rows: largestFirst(usage.containers, sizeOf).map((container) => containerRow(container, nowMs)) },
    {
      header: ['FILESYSTEM', 'IMAGES', 'CONTAINERS', 'PARTIAL', 'SIZE', 'AVAILABLE'],
      rows: usage.filesystems.map((one) => [one.mountpoint, ...[one.imageBytes, one.containerBytes, one.partialBytes, one.sizeBytes, one.availableBytes].map(humanSize)]),
    },
  ];
  return sections.filter(({ rows }) => rows.length > 0).map(({ header, rows }) => tableLines(header, rows, colour));
}

function sizeOf({ bytes }: { readonly bytes: bigint }): bigint {
  return bytes;
}

function largestFirst<T>(items: readonly T[], size: (item: T) => bigint): T[] {
  return items.toSorted((a, b) => Number(size(b) - size(a)));
}

function imageRow(image: ImageUsage): string[] {
  const name = image.repoTags[0] ?? image.repoDigests[0]?.split('@')[0] ?? '-';
  const more = image.repoTags.length > 1 ? ` (+${image.repoTags.length - 1})` : '';
  return [`${name}${more}`, shortId(image.id), humanSize(image.totalBytes), humanSize(image.exclusiveBytes), humanSize(image.sharedBytes), String(image.layers), String(image.containers)];
}

function layerCells({ diffId, bytes }: LayerUsage): string[] {
  return [shortId(diffId), humanSize(bytes)];
}

function containerRow(container: ContainerUsage, nowMs: number): (string | Cell)[] {
  const { id, name, pod, bytes, inodes, measuredAt, measuredBy } = container;
  if (measuredAt === 0n) return [shortId(id), name, pod, '-', '-', { text: 'not yet', tone: 'dim' }];
  const atLeast = measuredBy === MeasuredBy.MEASURED_BY_PART_OF_WALK ? '≥ ' : '';
  return [shortId(id), name, pod, `${atLeast}${humanSize(bytes)}`, `${atLeast}${inodes}`, whenMeasured(container, nowMs)];
}

function whenMeasured({ measuredAt, measuredBy }: ContainerUsage, nowMs: number): string {
  if (measuredBy === MeasuredBy.MEASURED_BY_FILESYSTEM) return 'by the filesystem';
  const age = humanAge(measuredAt, nowMs);
  return age === 'now' ? age : `${age} ago`;
}
