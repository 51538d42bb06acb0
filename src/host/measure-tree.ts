/** What directory trees take on the disk, found by walking them: slowly, within bounds, whatever a container does in them meanwhile. */
import { close as closeCallback, constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AT_FDCWD, libc, O_CLOEXEC, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV } from './libc.ts';

const close = promisify(closeCallback);

export interface MeasuredTree {
  /** Blocks on the disk: holes take none. */
  readonly bytes: bigint;
  /** A file with several names is one. */
  readonly inodes: bigint;
  /** False when a bound ended the walk: there is at least this much. */
  readonly complete: boolean;
}

export interface MeasureBounds {
  readonly entriesPerSecond: number;
  readonly maxEntries: number;
  readonly deadlineMs: number;
}

export interface MeasureRequest {
  readonly bounds: MeasureBounds;
  /** Ends the walk before the next entry; its reason is thrown. */
  readonly signal: AbortSignal;
  /** How the walk waits, for the tests. */
  readonly pause?: (ms: number) => Promise<void>;
}

/**
 * Counts all that lies below the directories, but not themselves. Undefined when none of them exists. No symlink is followed, nothing
 * that is mounted below is entered, and what goes while it is walked is left out. It takes one thread of libuv's pool and two
 * descriptors, however deep the trees are.
 */
export async function measureTrees(directories: readonly string[], request: MeasureRequest): Promise<MeasuredTree | undefined> {
  const walk = new Walk(request);
  try {
    let found = false;
    for (const directory of directories) found = await walk.tree(directory) || found;
    return found ? { ...walk.total, complete: true } : undefined;
  } catch (error) {
    if (error instanceof BoundReached) return { ...walk.total, complete: false };
    throw error;
  }
}

class BoundReached extends Error {}

/** A directory that is still to be read: names are byte strings (latin1), for they need not be UTF-8. */
interface Pending {
  readonly name: string;
  readonly parent: Pending | undefined;
}

class Walk {
  readonly #pace: Pace;
  readonly #linksLeft = new Map<string, bigint>();
  readonly total = { bytes: 0n, inodes: 0n };

  constructor(request: MeasureRequest) {
    this.#pace = new Pace(request);
  }

  /** False when there is no such directory. */
  async tree(directory: string): Promise<boolean> {
    const root = await openDirectory(AT_FDCWD, Buffer.from(directory), 0);
    if (root === undefined) return false;
    try {
      const { dev } = await lstat(`/proc/self/fd/${root}/.`, { bigint: true });
      const pending: Pending[] = [];
      await this.#directory(root, dev, { pending, parent: undefined });
      for (let next = pending.pop(); next !== undefined; next = pending.pop()) await this.#below(root, dev, { pending, parent: next });
    } finally {
      await close(root);
    }
    return true;
  }

  async #below(root: number, dev: bigint, to: { pending: Pending[]; parent: Pending }): Promise<void> {
    const fd = await this.#open(root, to.parent);
    if (fd === undefined) return;
    try {
      await this.#directory(fd, dev, to);
    } finally {
      await close(fd);
    }
  }

  /** In steps, for a path may be longer than the kernel takes in one. */
  async #open(root: number, directory: Pending): Promise<number | undefined> {
    let at = root;
    for (const path of pathsTo(directory)) {
      if (at !== root) await this.#pace.step(); // a step of its own: ways may be long
      const next = await openDirectory(at, path, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
      if (at !== root) await close(at);
      if (next === undefined) return undefined;
      at = next;
    }
    return at;
  }

  async #directory(fd: number, dev: bigint, { pending, parent }: { pending: Pending[]; parent: Pending | undefined }): Promise<void> {
    const here = `/proc/self/fd/${fd}`;
    for await (const { name } of await opendir(here, { encoding: 'latin1' })) {
      await this.#pace.step();
      const stats = await lstat(Buffer.from(`${here}/${name}`, 'latin1'), { bigint: true }).catch(() => undefined);
      if (stats === undefined || stats.dev !== dev) continue;
      if (stats.isDirectory()) pending.push({ name, parent });
      else if (this.#isCounted(stats)) continue;
      this.total.bytes += stats.blocks * 512n;
      this.total.inodes += 1n;
    }
  }

  /** Forgets a file with its last name: a container may have a great many that have two. */
  #isCounted({ ino, nlink }: BigIntStats): boolean {
    if (nlink === 1n) return false;
    const key = String(ino);
    const left = this.#linksLeft.get(key);
    if (left === 1n) this.#linksLeft.delete(key);
    else this.#linksLeft.set(key, (left ?? nlink) - 1n);
    return left !== undefined;
  }
}

/**
 * Undefined when it is gone, or no directory any more. The last name is never followed; elsewhere in a path that a container chose, where
 * a symlink could take a directory's place, `resolve` forbids it.
 */
async function openDirectory(at: number, path: Buffer, resolve: number): Promise<number | undefined> {
  return await libc.openat2Aside(at, path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | O_CLOEXEC, resolve).catch(() => undefined);
}

/** Well below PATH_MAX. */
const maxPathBytes = 3500;

/** The way from the root as paths that the kernel takes, one after the other. */
function pathsTo(directory: Pending): Buffer[] {
  const paths: string[] = [];
  let names: string[] = [];
  let length = 0;
  const add = (): unknown => paths.push(names.reverse().join('/'));
  for (let step: Pending | undefined = directory; step !== undefined; step = step.parent) {
    if (length > 0 && length + step.name.length > maxPathBytes) {
      add();
      [names, length] = [[], 0];
    }
    names.push(step.name);
    length += step.name.length + 1;
  }
  add();
  return paths.reverse().map((path) => Buffer.from(path, 'latin1'));
}

/** Entries between two looks at the clock: a small tree is walked without a pause. */
const sliceEntries = 250;

class Pace {
  readonly #request: MeasureRequest;
  readonly #began = performance.now();
  #sliceBegan = this.#began;
  #entries = 0;

  constructor(request: MeasureRequest) {
    this.#request = request;
  }

  /** Before each entry. */
  async step(): Promise<void> {
    const { bounds, signal, pause = (ms) => sleep(ms, undefined, { signal }) } = this.#request;
    signal.throwIfAborted();
    if (this.#entries >= bounds.maxEntries || performance.now() - this.#began >= bounds.deadlineMs) throw new BoundReached();
    this.#entries += 1;
    if (this.#entries % sliceEntries !== 0) return;
    const early = this.#sliceBegan + (sliceEntries * 1000) / bounds.entriesPerSecond - performance.now();
    if (early > 0) await pause(early);
    signal.throwIfAborted();
    this.#sliceBegan = performance.now();
  }
}
