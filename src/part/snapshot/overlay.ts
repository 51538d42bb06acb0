/**
 * Root filesystems by overlayfs: read-only layers below, for a container one writable directory above. The mount
 * is made directly by mount(2); options that would exceed the kernel's one page are refused before anything is made.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { failure, hasCode } from '../../base/errors.ts';
import { libc, MNT_DETACH, MS_RDONLY, UMOUNT_NOFOLLOW } from '../../host/libc.ts';
import { removeTree } from '../../host/files.ts';

export interface OverlaySnapshot {
  /** Holds `upper` and `work`; belongs to this snapshot alone. */
  readonly writableDir: string;
  /** Where the merged tree appears. */
  readonly mountpoint: string;
  /** Read-only directories, topmost first. None: an empty root. */
  readonly layers: readonly string[];
  /** Whose the root is when there is no layer to tell. Default: the node's root. */
  readonly rootOwner?: { readonly uid: number; readonly gid: number };
  /** Every file of the tree has it, whatever its own label: layers are shared by containers of different labels. */
  readonly selinuxLabel?: string;
}

/** mount(2) copies its options from one page. */
const maxOptionBytes = 4095;

/** Where a container's own changes are: what its writable layer's usage counts. */
export function upperDir(snapshot: Pick<OverlaySnapshot, 'writableDir'>): string {
  return join(snapshot.writableDir, 'upper');
}

/**
 * Makes the directories and mounts. Repeated after a reboot it mounts the same writable layer again. Layers that do not
 * exist: not-found; too many to fit into the mount options: failed-precondition.
 */
export function mountOverlay(snapshot: OverlaySnapshot): void {
  checkLayers(snapshot);
  for (const path of [snapshot.writableDir, join(snapshot.writableDir, 'work'), join(snapshot.writableDir, 'empty'), snapshot.mountpoint]) {
    mkdirSync(path, { recursive: true, mode: 0o711 });
  }
  makeUpper(upperDir(snapshot), snapshot);
  mountAt(snapshot.mountpoint, 0, overlayOptions(snapshot));
}

/** An image's merged tree that nobody can write. */
export interface ReadonlyTree {
  /** Belongs to this tree alone. */
  readonly directory: string;
  /** As in OverlaySnapshot. None: an empty tree. */
  readonly layers: readonly string[];
  /** As in OverlaySnapshot. */
  readonly selinuxLabel?: string;
}

/** Where a read-only tree appears. */
export function treePath({ directory }: Pick<ReadonlyTree, 'directory'>): string {
  return join(directory, 'tree');
}

/** Makes the directory and mounts the layers, read-only, on `treePath` below it. Errors as of mountOverlay. */
export function mountReadonlyTree(tree: ReadonlyTree): void {
  const mountpoint = treePath(tree);
  checkLayers({ layers: tree.layers, mountpoint });
  for (const path of [emptyLayer(tree), mountpoint]) mkdirSync(path, { recursive: true, mode: 0o711 });
  if (tree.layers.length > 0) mountAt(mountpoint, MS_RDONLY, readonlyTreeOptions(tree));
}

/** The option string for mount(2). */
export function readonlyTreeOptions(tree: ReadonlyTree): string {
  // Without an upper directory the kernel wants two lower ones. The lowest has nothing, so that also whiteouts of a single layer take effect.
  const options = `${lowerOption([...tree.layers, emptyLayer(tree)])}${selinuxContext(tree.selinuxLabel)}`;
  return checkOptions(treePath(tree), options, tree.layers.length);
}

function emptyLayer({ directory }: ReadonlyTree): string {
  return join(directory, 'empty');
}

/** Takes the tree and its directory away; not mounted, or gone altogether, is fine. */
export async function unmountReadonlyTree(directory: string): Promise<void> {
  await unmountOverlay(treePath({ directory }));
  await removeTree(directory);
}

function checkLayers({ layers, mountpoint }: { layers: readonly string[]; mountpoint: string }): void {
  const missing = layers.find((layer) => !existsSync(layer));
  if (missing !== undefined) throw failure('not-found', { act: 'mount root filesystem', object: mountpoint, why: `its layer ${missing} is gone` });
}

function mountAt(mountpoint: string, flags: number, options: string): void {
  try {
    libc.mount('overlay', mountpoint, 'overlay', flags, options);
  } catch (cause) {
    throw failure('internal', { act: 'mount root filesystem', object: mountpoint, cause });
  }
}

/** The upper directory is what the container sees as `/`: its mode and owner are those of the image's own root. */
function makeUpper(path: string, { layers: [topmost], rootOwner = { uid: 0, gid: 0 } }: OverlaySnapshot): void {
  if (existsSync(path)) return;
  mkdirSync(path, { mode: 0o700 });
  const { mode, uid, gid } = topmost === undefined ? { mode: 0o755, ...rootOwner } : statSync(topmost);
  chownSync(path, uid, gid);
  chmodSync(path, mode & 0o7777);
}

/** The option string for mount(2). `index=off` keeps layers usable by several mounts; no option writes into a layer. */
export function overlayOptions(snapshot: OverlaySnapshot): string {
  // An image without layers still needs one lower directory.
  const lower = snapshot.layers.length === 0 ? [join(snapshot.writableDir, 'empty')] : snapshot.layers;
  const options = `${lowerOption(lower)},upperdir=${escapePath(upperDir(snapshot))},workdir=${escapePath(join(snapshot.writableDir, 'work'))},index=off${selinuxContext(snapshot.selinuxLabel)}`;
  return checkOptions(snapshot.mountpoint, options, lower.length);
}

function lowerOption(lower: readonly string[]): string {
  return `lowerdir=${lower.map(escapePath).join(':')}`;
}

function checkOptions(mountpoint: string, options: string, layers: number): string {
  if (Buffer.byteLength(options) > maxOptionBytes) {
    throw failure('failed-precondition', { act: 'mount root filesystem', object: mountpoint, why: `${layers} layers need ${Buffer.byteLength(options)} bytes of mount options, the kernel takes ${maxOptionBytes}: choose a shorter --root` });
  }
  return options;
}

// In quotes, for a label has commas.
function selinuxContext(label: string | undefined): string {
  return label === undefined ? '' : `,context="${label}"`;
}

// Colons separate layers, commas separate options, a backslash escapes either.
function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&');
}

/**
 * Takes the merged tree away; not mounted, or gone altogether, is fine. A busy mount is detached lazily. The kernel writes the whole
 * file system of the upper directory to its disk first, so this is done beside the main thread.
 */
export async function unmountOverlay(mountpoint: string): Promise<void> {
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

/** Removes the writable layer with all that the container wrote. The overlay must be unmounted. Absent is fine. */
export async function removeWritableLayer(writableDir: string): Promise<void> {
  await removeTree(writableDir);
}
