/**
 * The layers of an image as one tree of files of their own. Every file is copied once, from the topmost layer that has it. All of it is
 * synchronous: for a thread of its own. Paths are byte strings (latin1), for names need not be UTF-8.
 */
import { chmodSync, closeSync, constants, existsSync, lchownSync, linkSync, lstatSync, mkdirSync, opendirSync, openSync, readlinkSync, symlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { copyContent } from '../../host/copy-content.ts';
import { libc } from '../../host/libc.ts';
import type { IdMaps } from '../../host/user-namespaces.ts';
import { shiftId, shiftXattr } from './shift-owners.ts';
import type { CopiedUsage } from './snapshotter.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

export interface CopyRequest {
  /** Topmost first; nobody changes them meanwhile. */
  readonly layers: readonly string[];
  /** Made; its parent exists. */
  readonly target: string;
  /** For a pod with a user namespace. */
  readonly maps: IdMaps | undefined;
  readonly selinuxLabel: string | undefined;
}

/** Copies until it is done or `proceed`, called before each step, throws. Fails with the errno's code. What it returns leaves out `target` itself. */
export function copyLayers(request: CopyRequest, proceed: () => void): CopiedUsage {
  return new LayerCopy(request, proceed).run();
}

class LayerCopy {
  readonly #request: CopyRequest;
  readonly #proceed: () => void;
  /** Copies that have more names to come, by device and inode. */
  readonly #linked = new Map<string, { readonly target: string; namesLeft: bigint }>();
  #bytes = 0n;
  #inodes = 0n;

  constructor(request: CopyRequest, proceed: () => void) {
    this.#request = request;
    this.#proceed = proceed;
  }

  run(): CopiedUsage {
    const { layers, target, maps } = this.#request;
    const roots = layers.map((layer) => Buffer.from(layer).toString('latin1'));
    const targetRoot = Buffer.from(target).toString('latin1');
    if (roots.length === 0) {
      mkdirSync(target, { mode: 0o755 });
      lchownSync(target, maps?.uids.hostId ?? 0, maps?.gids.hostId ?? 0);
    } else {
      this.#copyDirectory(this.#unlessHidden(roots), targetRoot);
    }
    return { bytes: this.#bytes, inodes: this.#inodes };
  }

  /** Of directories that show as one, those down to the first that is opaque: it hides the ones below. */
  #unlessHidden(sources: readonly string[]): string[] {
    const opaque = sources.findIndex(isOpaque);
    return opaque < 0 ? [...sources] : sources.slice(0, opaque + 1);
  }

  #copyDirectory(sources: readonly string[], target: string): void {
    mkdirSync(bytes(target), { mode: 0o700 });
    const directories: string[] = [];
    const seen = new Set<string>();
    for (const [depth, source] of sources.entries()) {
      const deleted: string[] = [];
      for (const name of namesIn(source)) {
        this.#proceed();
        if (seen.has(name)) continue;
        // Where nothing lies below, nobody asks whether it was seen: a directory may have millions of names.
        if (depth < sources.length - 1) seen.add(name);
        const stats = statusOf(`${source}/${name}`);
        if (name.startsWith(whiteoutPrefix)) deleted.push(name.slice(whiteoutPrefix.length));
        else if (stats.isDirectory()) directories.push(name);
        else if (!isWhiteout(stats)) this.#copyFile(`${source}/${name}`, `${target}/${name}`, stats);
      }
      for (const name of deleted) seen.add(name); // below, not in this layer
    }
    for (const name of directories) this.#copyDirectory(this.#unlessHidden(mergedDirectories(sources, name)), `${target}/${name}`);
    // Last, as the content changes the times and a read-only mode could forbid it.
    this.#copyAttributes(sources[0]!, target, statusOf(sources[0]!));
    if (target !== Buffer.from(this.#request.target).toString('latin1')) this.#count(target);
  }

  #copyFile(source: string, target: string, stats: BigIntStats): void {
    if (stats.isSocket() || this.#linkToCopy(target, stats)) return;
    if (stats.isSymbolicLink()) symlinkSync(readlinkSync(bytes(source), { encoding: 'buffer' }), bytes(target));
    else if (stats.isFile()) this.#copyRegular(source, target, stats);
    else libc.mknod(bytes(target), Number(stats.mode), stats.rdev);
    this.#copyAttributes(source, target, stats);
    this.#count(target);
    if (stats.nlink > 1n) this.#linked.set(`${stats.dev}:${stats.ino}`, { target, namesLeft: stats.nlink - 1n });
  }

  /** True when the file has been copied under another name: it gets this one too. */
  #linkToCopy(target: string, { dev, ino, nlink }: BigIntStats): boolean {
    const key = `${dev}:${ino}`;
    const copy = nlink > 1n ? this.#linked.get(key) : undefined;
    if (copy === undefined) return false;
    linkSync(bytes(copy.target), bytes(target));
    copy.namesLeft -= 1n;
    if (copy.namesLeft === 0n) this.#linked.delete(key);
    return true;
  }

  #copyRegular(source: string, target: string, { size }: BigIntStats): void {
    const from = openSync(bytes(source), O_RDONLY | O_NOFOLLOW);
    try {
      const to = openSync(bytes(target), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      try {
        copyContent({ from, to, size: Number(size) }, this.#proceed);
      } finally {
        closeSync(to);
      }
    } finally {
      closeSync(from);
    }
  }

  // In this order: a new owner takes away set-user-ID bits and file capabilities.
  #copyAttributes(source: string, target: string, stats: BigIntStats): void {
    const { maps, selinuxLabel } = this.#request;
    const [uid, gid] = [Number(stats.uid), Number(stats.gid)];
    lchownSync(bytes(target), maps === undefined ? uid : shiftId(uid, maps.uids), maps === undefined ? gid : shiftId(gid, maps.gids));
    if (!stats.isSymbolicLink()) chmodSync(bytes(target), Number(stats.mode & 0o7777n));
    for (const name of libc.llistxattr(bytes(source))) {
      // Labels are the node's to choose; what is trusted belongs to the layer and not to its files.
      if (name === 'security.selinux' || name.startsWith('trusted.')) continue;
      const value = libc.lgetxattr(bytes(source), name);
      if (value !== undefined) libc.lsetxattr(bytes(target), name, maps === undefined ? value : shiftXattr(name, value, maps), 0);
    }
    if (selinuxLabel !== undefined) libc.lsetxattr(bytes(target), 'security.selinux', Buffer.from(`${selinuxLabel}\0`), 0);
    libc.utimensat(bytes(target), stats.atimeNs, stats.mtimeNs);
  }

  #count(target: string): void {
    this.#bytes += statusOf(target).blocks * 512n;
    this.#inodes += 1n;
  }
}

// How deletions are marked where the filesystem of the layers refuses overlayfs's own marks (OCI image-spec, layer.md "Whiteouts").
const whiteoutPrefix = '.wh.';
const opaqueMarker = '.wh..wh..opq';

/** The directories of that name that show as one: down to where it is something else, or deleted. */
function mergedDirectories(sources: readonly string[], name: string): string[] {
  const merged: string[] = [];
  for (const source of sources) {
    const stats = lstatSync(bytes(`${source}/${name}`), { bigint: true, throwIfNoEntry: false });
    if (stats === undefined && !existsSync(bytes(`${source}/${whiteoutPrefix}${name}`))) continue;
    if (stats?.isDirectory() !== true) break;
    merged.push(`${source}/${name}`);
  }
  return merged;
}

/** Kernel documentation, overlayfs "whiteouts and opaque directories". */
function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

function isOpaque(directory: string): boolean {
  return libc.lgetxattr(bytes(directory), 'trusted.overlay.opaque')?.toString() === 'y' || existsSync(bytes(`${directory}/${opaqueMarker}`));
}

function* namesIn(directory: string): Generator<string> {
  const handle = opendirSync(bytes(directory) as unknown as string, { encoding: 'latin1', bufferSize: 256 });
  try {
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync()) yield entry.name;
  } finally {
    handle.closeSync();
  }
}

function statusOf(path: string): BigIntStats {
  return lstatSync(bytes(path), { bigint: true });
}

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}
