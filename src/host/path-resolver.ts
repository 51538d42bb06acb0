/**
 * Paths of the host that somebody else chose: they may lie on a network file system whose server is dead, where every call waits for ever.
 * So nothing is called here that could wait, but for on threads that can be left behind: not the main thread, and not libuv's pool
 * either, whose four threads all of the daemon shares.
 */
import { closeSync, readlinkSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { failure, hasCode, messageOf } from '../base/errors.ts';
import { abandon } from './abandoned.ts';
import type { FoundDevice } from './device-tree.ts';
import { AT_FDCWD, libc, O_CLOEXEC, O_PATH, RESOLVE_CACHED } from './libc.ts';
import type { NodeAt, PathAnswer, PathRequest, PathTasks } from './path-worker.ts';

const usualWorker = new URL(`./path-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

/** A thread without work ends after this time, so that an idle daemon does not pay for it. */
const idleMs = 10_000;

export class PathResolver {
  readonly #deadlineMs: number;
  readonly #mostLost: number;
  readonly #workerFile: URL;
  readonly #onceAPath: boolean;
  readonly #idle = new Set<Worker>();
  readonly #lostPaths = new Set<string>();
  #lost = 0;
  #reaper: NodeJS.Timeout | undefined;

  /**
   * `mostLost`: how many threads may wait for dead file systems at the same time; each costs a few megabytes. `onceAPath`: a path that had no answer is
   * not asked for again while a thread still waits there, but refused at once.
   */
  constructor(options: { deadlineMs?: number; mostLost?: number; onceAPath?: boolean; workerFile?: URL } = {}) {
    this.#deadlineMs = options.deadlineMs ?? 10_000;
    this.#mostLost = options.mostLost ?? 16;
    this.#onceAPath = options.onceAPath ?? false;
    this.#workerFile = options.workerFile ?? usualWorker;
  }

  /**
   * The absolute path that `path` leads to when every symlink is followed. Nothing there: not-found. No answer in time:
   * deadline-exceeded. Too many others that were never answered: unavailable. Anything else: failed-precondition.
   */
  async resolve(path: string): Promise<string> {
    return cachedPath(path) ?? await this.#ask({ path, task: 'find' });
  }

  /** Makes a directory and its missing parents, mode 0755, as `mkdir -p`, and resolves it. Errors as those of `resolve`. */
  async makeDirectory(path: string): Promise<string> {
    return await this.#ask({ path, task: 'make directory' });
  }

  /** The device or the devices that `path` leads to (devicesAt). Errors as those of `resolve`. */
  async devicesAt(path: string): Promise<FoundDevice[]> {
    return await this.#ask({ path, task: 'look at device' });
  }

  /** The device or FIFO of this name, undefined when it is something else; a symlink is not followed. Errors as those of `resolve`. */
  async nodeAt(path: string): Promise<NodeAt | undefined> {
    return await this.#ask({ path, task: 'look at' });
  }

  /** The text of a regular file of at most `maxBytes`; anything else is failed-precondition. Errors as those of `resolve`. */
  async readText(path: string, maxBytes: number): Promise<string> {
    return await this.#ask({ path, task: 'read', maxBytes });
  }

  /** Resolves when files can be made in this directory. Errors as those of `resolve`. */
  async checkWritable(path: string): Promise<void> {
    await this.#ask({ path, task: 'write in' });
  }

  /** Ends the threads. What still waits for an answer goes on until its deadline. */
  async close(): Promise<void> {
    clearTimeout(this.#reaper);
    const ending = [...this.#idle];
    this.#idle.clear(); // at once: a thread that is ending would take a question and never answer
    await Promise.all(ending.map((worker) => worker.terminate()));
  }

  /** What the task gives, or the code and message of Node's error. Errors: unavailable and deadline-exceeded, as those of `resolve`. */
  async attempt<Task extends keyof PathTasks>(request: PathRequest & { readonly task: Task }): Promise<{ readonly found: PathTasks[Task] } | { readonly code: string; readonly message: string }> {
    const { path, task } = request;
    if (this.#onceAPath && this.#lostPaths.has(path)) throw failure('unavailable', { act: task, object: path, why: 'its file system did not answer the last time, and still does not: unmount it if it is dead' });
    if (this.#lost >= this.#mostLost) throw failure('unavailable', { act: task, object: path, why: `${this.#lost} other paths are on file systems that do not answer: unmount those that are dead` });
    const answer = await this.#answerTo(request);
    if (answer === 'late') throw failure('deadline-exceeded', { act: task, object: path, why: `its file system did not answer within ${this.#deadlineMs / 1000} s` });
    return answer as { readonly found: PathTasks[Task] } | { readonly code: string; readonly message: string };
  }

  async #ask<Task extends keyof PathTasks>(request: PathRequest & { readonly task: Task }): Promise<PathTasks[Task]> {
    const { path, task } = request;
    const answer = await this.attempt(request);
    if ('found' in answer) return answer.found;
    if (answer.code === 'ENOENT') throw failure('not-found', { act: task, object: path, why: 'there is no such file or directory on this node' });
    throw failure('failed-precondition', { act: task, object: path, why: answer.message });
  }

  async #answerTo(request: PathRequest): Promise<PathAnswer | 'late'> {
    const [spare] = this.#idle;
    const worker = spare ?? this.#start();
    this.#idle.delete(worker);
    const { promise, resolve } = Promise.withResolvers<PathAnswer | 'late'>();
    let timer: NodeJS.Timeout | undefined;
    const beginWait = (): void => { timer = setTimeout(() => resolve('late'), this.#deadlineMs); };
    // Where processors are scarce a thread takes its time to begin, of which no file system is to blame.
    if (spare === undefined) worker.once('online', beginWait);
    else beginWait();
    const fail = (error: unknown): void => resolve({ code: '', message: messageOf(error) });
    worker.once('message', resolve).once('error', fail);
    worker.postMessage(request, []);
    const answer = await promise;
    clearTimeout(timer);
    worker.off('message', resolve).off('error', fail);
    if (answer === 'late') this.#abandon(worker, request);
    else this.#rest(worker);
    return answer;
  }

  #start(): Worker {
    const worker = new Worker(this.#workerFile, { name: 'path', env: {}, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 } });
    worker.unref();
    worker.on('error', () => {}); // whoever waits for an answer is told
    worker.on('exit', () => this.#idle.delete(worker));
    return worker;
  }

  /** A thread within a system call cannot be ended from outside: it goes when the call comes back, and counts until then. */
  #abandon(worker: Worker, { task, path }: PathRequest): void {
    this.#lost++;
    this.#lostPaths.add(path);
    const over = worker.terminate().finally(() => {
      this.#lost--;
      this.#lostPaths.delete(path);
    });
    abandon({ act: task, object: path }, over);
  }

  #rest(worker: Worker): void {
    this.#idle.add(worker);
    clearTimeout(this.#reaper);
    this.#reaper = setTimeout(() => void this.close(), idleMs).unref();
  }
}

/** The process's own threads, as libuv's pool is the process's; idle ones end by themselves. */
export const pathThreads = new PathResolver();

function cachedPath(path: string): string | undefined {
  const cached = resolveCached(path);
  return cached === 'absent' ? undefined : cached;
}

/** Whether the kernel knows where this path leads, and need ask no file system. */
export function surelyThere(path: string): boolean {
  return cachedPath(path) !== undefined;
}

/** Whether the kernel knows that there is nothing at this path, and need ask no file system. */
export function surelyAbsent(path: string): boolean {
  return resolveCached(path) === 'absent';
}

/**
 * The kernel's own answer from its cache of names, where that knows the whole way: it never waits (openat2, RESOLVE_CACHED, Linux 5.12).
 * That is the usual case, as the kubelet has just made or looked at what it wants mounted.
 */
function resolveCached(path: string): string | 'absent' | undefined {
  let fd: number;
  try {
    fd = libc.openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0, RESOLVE_CACHED);
  } catch (error) {
    if (hasCode(error, 'EMFILE') || hasCode(error, 'ENFILE')) throw error;
    if (hasCode(error, 'ENOENT')) return 'absent';
    return undefined; // not in the cache, or an error that the thread will meet again and explain
  }
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}
