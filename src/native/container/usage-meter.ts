/**
 * Bytes and inodes of writable layers, measured in the background. Asking answers at once with the last figure; a layer
 * whose figure is old is queued, and one layer at a time is walked, so that stats never wait for a disk.
 */
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

export interface Usage {
  readonly bytes: bigint;
  readonly inodes: bigint;
  /** When it was measured, nanoseconds since the epoch. */
  readonly at: bigint;
}

/** How old a figure may be before asking for it measures again. */
const maxAgeNs = 30n * 1_000_000_000n;

export class UsageMeter {
  readonly #figures = new Map<string, Usage>();
  readonly #queue = new Map<string, string>();
  #walking = false;
  /** Whose layer is being walked; undefined when it was forgotten meanwhile. */
  #current: string | undefined;

  /** The last figure for the directory of this container; undefined before the first walk is done. */
  usage(id: string, directory: string): Usage | undefined {
    const figure = this.#figures.get(id);
    const now = BigInt(Date.now()) * 1_000_000n;
    if (figure === undefined || now - figure.at > maxAgeNs) {
      this.#queue.set(id, directory);
      void this.#walkQueued();
    }
    return figure;
  }

  forget(id: string): void {
    this.#figures.delete(id);
    this.#queue.delete(id);
    if (this.#current === id) this.#current = undefined;
  }

  async #walkQueued(): Promise<void> {
    if (this.#walking) return;
    this.#walking = true;
    for (const [id, directory] of this.#queue) {
      this.#queue.delete(id);
      this.#current = id;
      const total = await measure(directory).catch(() => undefined); // the disk refuses: no figure, and the others get theirs
      if (this.#current === id && total !== undefined) this.#figures.set(id, total);
    }
    this.#current = undefined;
    this.#walking = false;
  }
}

/** Directories further down are left out: each level holds a descriptor open. */
const maxDepth = 256;

interface Total {
  bytes: bigint;
  inodes: bigint;
  /** A file with several names is one inode. */
  readonly counted: Set<bigint>;
}

/** Undefined when the directory is gone. What goes while it is walked (a container deletes as it likes) is left out. */
async function measure(directory: string): Promise<Usage | undefined> {
  const at = BigInt(Date.now()) * 1_000_000n;
  const total: Total = { bytes: 0n, inodes: 0n, counted: new Set() };
  const root = await openDirectory(directory);
  if (root === undefined) return undefined;
  await walk(root, total, 0);
  return { bytes: total.bytes, inodes: total.inodes, at };
}

/** Walks by descriptors: in a path, the container could put a symlink in the place of a directory and have us walk the node. */
async function walk(handle: FileHandle, total: Total, depth: number): Promise<void> {
  try {
    const here = `/proc/self/fd/${handle.fd}`;
    for await (const { name } of await opendir(here)) {
      const path = `${here}/${name}`;
      const stat = await lstat(path, { bigint: true }).catch(() => undefined);
      if (stat === undefined || isCounted(stat, total.counted)) continue;
      total.bytes += stat.blocks * 512n;
      total.inodes += 1n;
      const child = stat.isDirectory() && depth < maxDepth ? await openDirectory(path) : undefined;
      if (child !== undefined) await walk(child, total, depth + 1);
    }
  } finally {
    await handle.close();
  }
}

async function openDirectory(path: string): Promise<FileHandle | undefined> {
  return await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch(() => undefined);
}

function isCounted(stat: BigIntStats, counted: Set<bigint>): boolean {
  if (stat.nlink === 1n || stat.isDirectory()) return false;
  if (counted.has(stat.ino)) return true;
  counted.add(stat.ino);
  return false;
}
