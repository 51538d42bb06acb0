/**
 * Root filesystems made of the layers of images. A driver makes them; what it made is taken away in the same way whichever it was, so
 * that containers of one driver can be removed under another.
 */
import { existsSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { failure, hasCode } from '../../base/errors.ts';
import { libc, MNT_DETACH, UMOUNT_NOFOLLOW } from '../../host/libc.ts';
import { removeLargeTree } from '../../host/remove-large-tree.ts';
import type { IdMaps } from '../../host/user-namespaces.ts';

export type SnapshotDriver = 'overlay' | 'copy';

/** What a tree is made of. */
export interface TreeContent {
  /** Directories that nobody changes, topmost first, with deletions as overlayfs marks them. None: an empty tree. */
  readonly layers: readonly string[];
  /** For a pod with a user namespace: the owners of all files are mapped by it. */
  readonly owners?: MappedOwners;
  /** Every file of the tree has it, whatever its own label: layers are shared by containers of different labels. */
  readonly selinuxLabel?: string;
}

export interface MappedOwners {
  readonly maps: IdMaps;
  /** Where the directory that holds the layers is mounted with its owners mapped; undefined where nobody did. */
  readonly layersRoot: string | undefined;
}

export interface RootRequest extends TreeContent {
  /** Holds what is written; belongs to this root alone. */
  readonly writableDir: string;
  /** Where the tree appears. */
  readonly mountpoint: string;
}

/** A tree that nobody can write. */
export interface ViewRequest extends TreeContent {
  /** Belongs to this view alone; the tree appears on `treePath` below it. */
  readonly directory: string;
  /** Where a driver that has to copy may put it: on the filesystem of the layers. Goes with the container's writable layer. */
  readonly writableDir: string;
}

/** What of a writable directory is no change of the container's but was put there when it was made. */
export interface CopiedUsage {
  readonly bytes: bigint;
  readonly inodes: bigint;
}

export interface Snapshotter {
  readonly driver: SnapshotDriver;
  /**
   * Makes the directories and mounts a root on its mountpoint. Repeated after a reboot it mounts what was written before. A layer that
   * does not exist: not-found; what the driver cannot do: failed-precondition; no room: resource-exhausted; an aborted signal: cancelled.
   * Whatever it fails with, `releaseRoot` and `removeWritableLayer` clear what is half made.
   */
  prepareRoot(request: RootRequest, signal: AbortSignal): Promise<CopiedUsage | undefined>;
  /** Makes the directories and mounts a read-only tree on `treePath`. Errors as of prepareRoot; `releaseView` and the removal of `writableDir` clear it. */
  prepareView(request: ViewRequest, signal: AbortSignal): Promise<void>;
}

/** Where what a container wrote is, in its writable directory. */
export function changesDir(driver: SnapshotDriver, writableDir: string): string {
  return join(writableDir, driver === 'overlay' ? 'upper' : 'root');
}

/** Where a view appears. */
export function treePath(directory: string): string {
  return join(directory, 'tree');
}

/** Throws the not-found of `Snapshotter` when a layer is gone. */
export function checkLayers(layers: readonly string[], mountpoint: string): void {
  const missing = layers.find((layer) => !existsSync(layer));
  if (missing !== undefined) throw failure('not-found', { act: 'make root filesystem', object: mountpoint, why: `its layer ${missing} is gone` });
}

/** Who owns what no layer has: root, on the node or of the pod. */
export function rootOwner({ owners }: TreeContent): { uid: number; gid: number } {
  return { uid: owners?.maps.uids.hostId ?? 0, gid: owners?.maps.gids.hostId ?? 0 };
}

/**
 * Takes a root away; not mounted, or gone altogether, is fine. A busy mount is detached lazily. The kernel writes the whole
 * file system of an overlay's upper directory to its disk first, so this is done beside the main thread.
 */
export async function releaseRoot(mountpoint: string): Promise<void> {
  try {
    await libc.umount2Aside(mountpoint, UMOUNT_NOFOLLOW | MNT_DETACH);
  } catch (error) {
    if (!hasCode(error, 'EINVAL') && !hasCode(error, 'ENOENT')) throw failure('internal', { act: 'unmount root filesystem', object: mountpoint, cause: error });
  }
  try {
    rmdirSync(mountpoint);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw failure('internal', { act: 'remove mountpoint', object: mountpoint, cause: error });
  }
}

/** Takes a view and its directory away; not mounted, or gone altogether, is fine. */
export async function releaseView(directory: string): Promise<void> {
  await releaseRoot(treePath(directory));
  await removeLargeTree(directory);
}

/** Removes a writable directory with all that the container wrote. Its root must be released. Absent is fine. */
export async function removeWritableLayer(writableDir: string): Promise<void> {
  await removeLargeTree(writableDir);
}
