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
}

/** `auto` is overlay where overlayfs can use `directory`, else copies, which the log tells. failed-precondition where it has to be overlay and cannot. */
export async function chooseSnapshotter(setting: 'auto' | SnapshotDriver, directory: string, log: Logger): Promise<Snapshotters> {
  const copy = new CopySnapshotter();
  if (setting === 'copy') return { inUse: copy, fallback: undefined, copy };
  const shortcoming = await probeOverlay(directory);
  if (shortcoming === undefined) return { inUse: overlaySnapshotter, fallback: undefined, copy };
  if (setting === 'overlay') throw failure('failed-precondition', { act: 'use overlayfs on', object: directory, why: `${shortcoming}; choose another --root, or snapshotter = "auto" or "copy"` });
  log.warn('overlayfs cannot use this directory: each container gets a copy of its image', { directory, why: shortcoming });
  return { inUse: copy, fallback: shortcoming, copy };
}
