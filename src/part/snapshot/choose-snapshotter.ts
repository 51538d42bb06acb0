import { failure } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { CopySnapshotter } from './copy.ts';
import { overlaySnapshotter } from './overlay.ts';
import { probeOverlay } from './probe-overlay.ts';
import type { SnapshotDriver, Snapshotter } from './snapshotter.ts';

/** The drivers, and which of them makes new containers. */
export interface Snapshotters {
  readonly inUse: Snapshotter;
  /** Why it is not overlay, in words; undefined where it is, or where copies are what was asked for. */
  readonly fallback: string | undefined;
  readonly copy: Snapshotter;
  /** Why overlayfs cannot be used here; undefined when it can. Looked at once, when somebody first asks. */
  overlayShortcoming(): Promise<string | undefined>;
}

/** `auto` is overlay where overlayfs can use `directory`, else copies, which the log tells. failed-precondition where it has to be overlay and cannot. */
export async function chooseSnapshotter(setting: 'auto' | SnapshotDriver, directory: string, log: Logger): Promise<Snapshotters> {
  const copy = new CopySnapshotter();
  let probing: Promise<string | undefined> | undefined;
  const overlayShortcoming = (): Promise<string | undefined> => probing ??= probeOverlay(directory);
  if (setting === 'copy') return { inUse: copy, fallback: undefined, copy, overlayShortcoming };
  const shortcoming = await overlayShortcoming();
  if (shortcoming === undefined) return { inUse: overlaySnapshotter, fallback: undefined, copy, overlayShortcoming };
  if (setting === 'overlay') throw failure('failed-precondition', { act: 'use overlayfs on', object: directory, why: `${shortcoming}; choose another --root, or snapshotter = "auto" or "copy"` });
  log.warn('overlayfs cannot use this directory: each container gets a copy of its image', { directory, why: shortcoming });
  return { inUse: copy, fallback: shortcoming, copy, overlayShortcoming };
}

/** The one that makes containers by `driver`; without a driver, the node's. Whether overlayfs can be used is not asked: see `checkDriver`. */
export function snapshotterBy(driver: SnapshotDriver | undefined, { inUse, copy }: Pick<Snapshotters, 'inUse' | 'copy'>): Snapshotter {
  if (driver === undefined) return inUse;
  return driver === 'copy' ? copy : overlaySnapshotter;
}

/** Throws failed-precondition for overlay where it cannot be used; `setting` is what asks for it. */
export async function checkDriver(driver: SnapshotDriver | undefined, setting: string, snapshotters: Snapshotters): Promise<void> {
  if (driver !== 'overlay') return;
  const shortcoming = await snapshotters.overlayShortcoming();
  if (shortcoming !== undefined) throw failure('failed-precondition', { act: 'use', object: `${setting} = "overlay"`, why: `${shortcoming}; take "node" or "copy"` });
}
