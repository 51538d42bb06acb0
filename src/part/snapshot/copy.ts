/**
 * Root filesystems that are copies, for filesystems that overlayfs cannot use: each container has all files of its image. Blocks are
 * shared where the filesystem can (XFS, btrfs).
 */
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import type { ErrorKind } from '../../base/errors.ts';
import { libc, MS_BIND, MS_RDONLY, MS_REMOUNT } from '../../host/libc.ts';
import type { CopyAnswer, CopyJob } from './copy-worker.ts';
import { changesDir, checkLayers, treePath } from './snapshotter.ts';
import type { CopiedUsage, RootRequest, Snapshotter, TreeContent, ViewRequest } from './snapshotter.ts';

const workerFile = new URL(`./copy-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

/** How many trees are copied at the same time: more would only take the disk from each other. Each has a thread of at most so much memory. */
const mostAtOnce = 2;
const threadMegabytes = 256;

/** Owners are mapped while copying, so that no kernel or filesystem has to be able to. */
export class CopySnapshotter implements Snapshotter {
  readonly driver = 'copy';
  readonly #waiting: (() => void)[] = [];
  #copying = 0;

  async prepareRoot(request: RootRequest, signal: AbortSignal): Promise<CopiedUsage | undefined> {
    const { writableDir, mountpoint } = request;
    const target = changesDir('copy', writableDir);
    const copied = await this.#copyUnlessThere(request, { target, mountpoint }, signal);
    bindAt(target, mountpoint);
    return copied;
  }

  async prepareView(request: ViewRequest, signal: AbortSignal): Promise<void> {
    const mountpoint = treePath(request.directory);
    const target = changesDir('copy', request.writableDir);
    await this.#copyUnlessThere(request, { target, mountpoint }, signal);
    bindAt(target, mountpoint);
    libc.mount('', mountpoint, '', MS_BIND | MS_REMOUNT | MS_RDONLY, null);
  }

  /** Undefined when it was there: what was copied then is told no second time. */
  async #copyUnlessThere(content: TreeContent, { target, mountpoint }: { target: string; mountpoint: string }, signal: AbortSignal): Promise<CopiedUsage | undefined> {
    if (existsSync(target)) return undefined;
    checkLayers(content.layers, mountpoint);
    mkdirSync(dirname(target), { recursive: true, mode: 0o711 });
    await this.#turn();
    try {
      if (signal.aborted) throw given(mountpoint, signal);
      const answer = await copyAside({ layers: content.layers, target, maps: content.owners?.maps, selinuxLabel: content.selinuxLabel }, signal);
      if ('done' in answer) return answer.done;
      throw 'cancelled' in answer ? given(mountpoint, signal) : failed(target, answer);
    } finally {
      this.#copying -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#copying >= mostAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#copying += 1;
  }
}

/** Waits for the thread's last word also when the signal is aborted: whoever removes the copy then has nobody against them. */
async function copyAside(request: Omit<CopyJob, 'cancelled'>, signal: AbortSignal): Promise<CopyAnswer> {
  const cancelled = new SharedArrayBuffer(4);
  const cancel = (): void => void Atomics.store(new Int32Array(cancelled), 0, 1);
  signal.addEventListener('abort', cancel);
  const worker = new Worker(workerFile, { name: 'copy', workerData: { ...request, cancelled } satisfies CopyJob, env: {}, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: threadMegabytes } });
  try {
    const [answer] = (await once(worker, 'message')) as [CopyAnswer];
    return answer;
  } catch (error) {
    return { code: hasCode(error, 'ERR_WORKER_OUT_OF_MEMORY') ? 'ENOMEM' : '', message: messageOf(error) };
  } finally {
    signal.removeEventListener('abort', cancel);
    await worker.terminate();
  }
}

function given(mountpoint: string, { reason }: AbortSignal): Error {
  return failure('cancelled', { act: 'copy root filesystem', object: mountpoint, why: 'it is not wanted any more', cause: reason });
}

const kinds: Readonly<Record<string, ErrorKind>> = { ENOSPC: 'resource-exhausted', EDQUOT: 'resource-exhausted', ENOMEM: 'resource-exhausted', ENAMETOOLONG: 'failed-precondition', ENOTSUP: 'failed-precondition' };

/** Where a full disk means the copies, it says so: with overlayfs they would not be there. */
function failed(target: string, { code, message }: { code: string; message: string }): Error {
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const why = full ? `no bytes or inodes are left on its filesystem for a copy of the image (${message}): free some, or choose a --root that overlayfs can use` : message;
  return failure(kinds[code] ?? 'internal', { act: 'copy root filesystem to', object: target, why });
}

function bindAt(source: string, mountpoint: string): void {
  mkdirSync(mountpoint, { recursive: true, mode: 0o711 });
  try {
    libc.mount(source, mountpoint, '', MS_BIND, null);
  } catch (cause) {
    throw failure('internal', { act: 'mount root filesystem', object: mountpoint, cause });
  }
}
