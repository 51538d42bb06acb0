/**
 * Bytes and inodes of writable layers, measured in the background. Asking answers at once with the last figure; a layer
 * whose figure is old is queued, and one layer at a time is walked, so that stats never wait for a disk.
 */
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

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
  }

  async #walkQueued(): Promise<void> {
    if (this.#walking) return;
    this.#walking = true;
    for (const [id, directory] of this.#queue) {
      this.#queue.delete(id);
      const total = await measure(directory).catch(() => undefined); // removed meanwhile
      if (total !== undefined) this.#figures.set(id, total);
    }
    this.#walking = false;
  }
}

async function measure(directory: string): Promise<Usage> {
  const at = BigInt(Date.now()) * 1_000_000n;
  let bytes = 0n;
  let inodes = 0n;
  const counted = new Set<bigint>(); // a file with several names is one inode
  const pending = [directory];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for await (const entry of await opendir(next)) {
      const path = join(next, entry.name);
      const stat = await lstat(path, { bigint: true });
      if (stat.nlink > 1n && !stat.isDirectory()) {
        if (counted.has(stat.ino)) continue;
        counted.add(stat.ino);
      }
      bytes += stat.blocks * 512n;
      inodes += 1n;
      if (entry.isDirectory()) pending.push(path);
    }
  }
  return { bytes, inodes, at };
}
