/** What containers' writable layers take on the disk. */
import type { FilesystemUsage } from '../../gen/cri.ts';
import { changesDir } from '../../part/snapshot/snapshotter.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';
import type { Usage } from '../../host/usage-meter.ts';

export interface UsageDeps extends Pick<ContainerDeps, 'roots'> {
  readonly usage: Pick<ContainerDeps['usage'], 'usage'>;
}

/**
 * What the container has written: of a copied root what it has more than came with the image, so that an image does not count against the
 * container's own limit. Undefined before it was measured first.
 */
export function usageOfChanges(deps: UsageDeps, record: ContainerRecord): Usage | undefined {
  const { copied } = record;
  const usage = usageOnDisk(deps, record);
  if (usage === undefined || copied === undefined) return usage;
  return { ...usage, bytes: atLeastNone(usage.bytes - copied.bytes), inodes: atLeastNone(usage.inodes - copied.inodes) };
}

/** All writable layers together as the disk has them, as far as they were measured. */
export function writableLayersUsage(deps: UsageDeps, records: readonly ContainerRecord[]): FilesystemUsage {
  const figures = records.map((record) => usageOnDisk(deps, record));
  const sum = (of: 'bytes' | 'inodes'): bigint => figures.reduce((total, figure) => total + (figure?.[of] ?? 0n), 0n);
  return { timestamp: BigInt(Date.now()) * 1_000_000n, fsId: { mountpoint: deps.roots.root }, usedBytes: { value: sum('bytes') }, inodesUsed: { value: sum('inodes') } };
}

/**
 * What its writable layer takes with the volumes that its image declares: counted, or as last measured; undefined before the first time.
 * Asking has an old figure measured anew.
 */
export function usageOnDisk({ roots, usage }: UsageDeps, { id, snapshotter = 'overlay', project }: ContainerRecord): Usage | undefined {
  const { writable, declaredVolumes } = containerPaths(roots, id);
  return usage.usage(id, { directories: [changesDir(snapshotter, writable), declaredVolumes], project });
}

function atLeastNone(figure: bigint): bigint {
  return figure < 0n ? 0n : figure;
}
