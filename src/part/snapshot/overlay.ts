/**
 * Root filesystems by overlayfs: read-only layers below, for a container one writable directory above. The mount
 * is made directly by mount(2); options that would exceed the kernel's one page are refused before anything is made.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { failure } from '../../base/errors.ts';
import { libc, MS_RDONLY } from '../../host/libc.ts';
import { changesDir, checkLayers, rootOwner, treePath } from './snapshotter.ts';
import type { RootRequest, Snapshotter, TreeContent, ViewRequest } from './snapshotter.ts';

/** mount(2) copies its options from one page. */
const maxOptionBytes = 4095;

/** Copies nothing, so that no signal is looked at. For mapped owners it needs layers that are mounted so. */
export const overlaySnapshotter: Snapshotter = {
  driver: 'overlay',
  async prepareRoot(request) {
    mountRoot(request);
    return undefined;
  },
  async prepareView(request) {
    mountView(request);
  },
};

function mountRoot(request: RootRequest): void {
  const { writableDir, mountpoint } = request;
  checkLayers(shownLayers(request), mountpoint);
  for (const path of [writableDir, join(writableDir, 'work'), join(writableDir, 'empty'), mountpoint]) {
    mkdirSync(path, { recursive: true, mode: 0o711 });
  }
  makeUpper(changesDir('overlay', writableDir), request);
  mountAt(mountpoint, 0, rootOptions(request));
}

function mountView(view: ViewRequest): void {
  const mountpoint = treePath(view.directory);
  checkLayers(shownLayers(view), mountpoint);
  for (const path of [emptyLayer(view), mountpoint]) mkdirSync(path, { recursive: true, mode: 0o711 });
  if (view.layers.length > 0) mountAt(mountpoint, MS_RDONLY, viewOptions(view));
}

/** A pod with a user namespace sees the same layers in a mount where root of the pod owns what root owns on the disk: the kernel maps no overlay itself. */
function shownLayers({ layers, owners }: TreeContent): readonly string[] {
  const mapped = owners?.layersRoot;
  return mapped === undefined ? layers : layers.map((layer) => join(mapped, basename(layer)));
}

/** The upper directory is what the container sees as `/`: its mode and owner are those of the image's own root. */
function makeUpper(path: string, request: RootRequest): void {
  if (existsSync(path)) return;
  mkdirSync(path, { mode: 0o700 });
  const [topmost] = shownLayers(request);
  const { mode, uid, gid } = topmost === undefined ? { mode: 0o755, ...rootOwner(request) } : statSync(topmost);
  chownSync(path, uid, gid);
  chmodSync(path, mode & 0o7777);
}

/** The option string for mount(2). `index=off` keeps layers usable by several mounts; no option writes into a layer. */
export function rootOptions(request: RootRequest): string {
  const { writableDir, mountpoint, selinuxLabel } = request;
  const layers = shownLayers(request);
  // An image without layers still needs one lower directory.
  const lower = layers.length === 0 ? [join(writableDir, 'empty')] : layers;
  const options = `${lowerOption(lower)},upperdir=${escapePath(changesDir('overlay', writableDir))},workdir=${escapePath(join(writableDir, 'work'))},index=off${selinuxContext(selinuxLabel)}`;
  return checkOptions(mountpoint, options, lower.length);
}

/** The option string for mount(2). */
export function viewOptions(view: ViewRequest): string {
  // Without an upper directory the kernel wants two lower ones. The lowest has nothing, so that also whiteouts of a single layer take effect.
  const options = `${lowerOption([...shownLayers(view), emptyLayer(view)])}${selinuxContext(view.selinuxLabel)}`;
  return checkOptions(treePath(view.directory), options, view.layers.length);
}

function emptyLayer({ directory }: ViewRequest): string {
  return join(directory, 'empty');
}

function mountAt(mountpoint: string, flags: number, options: string): void {
  try {
    libc.mount('overlay', mountpoint, 'overlay', flags, options);
  } catch (cause) {
    throw failure('internal', { act: 'mount root filesystem', object: mountpoint, cause });
  }
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
