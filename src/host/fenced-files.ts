/**
 * Files of the administrator: configuration, credentials, certificates, policies, folders of hooks and devices. They too may lie on a network file
 * system whose server is dead, so they are read on threads that can be left behind, and not on libuv's pool, which four of them would take from
 * the whole daemon. The threads are others than those for the paths that requests name: neither can use up the others'.
 */
import { access, constants } from 'node:fs/promises';
import { PathResolver, surelyAbsent, surelyThere } from './path-resolver.ts';
import type { ListedFile, PathRequest, PathTasks } from './path-worker.ts';

/** Errors of all methods: Node's own, with their codes; deadline-exceeded where a file system does not answer, and unavailable while it still does not. */
export class FencedFiles {
  readonly #threads: PathResolver;

  constructor(threads: PathResolver) {
    this.#threads = threads;
  }

  /** A regular file of at most so many bytes, whole; nothing is waited for at a FIFO. */
  async read(path: string, maxBytes: number): Promise<Buffer> {
    return (await this.readVersion(path, maxBytes)).bytes;
  }

  /** As `read`, with which version of the file it was: another one after each change. */
  async readVersion(path: string, maxBytes: number): Promise<{ bytes: Buffer; version: string }> {
    const { bytes, version } = await this.#ask({ path, task: 'read file', maxBytes });
    return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), version };
  }

  /** The names in a folder, sorted. */
  async list(path: string): Promise<string[]> {
    return await this.#ask({ path, task: 'list folder' });
  }

  /** The files in a folder whose names end so, sorted, with the version of each (readVersion). */
  async listVersions(path: string, suffixes: readonly string[]): Promise<ListedFile[]> {
    return await this.#ask({ path, task: 'look into', suffixes });
  }

  /** Resolves when something has this name, be it a link that leads nowhere. */
  async lookFor(path: string): Promise<void> {
    await this.#ask({ path, task: 'look for' });
  }

  /** Resolves when it is a file that can be run. */
  async checkProgram(path: string): Promise<void> {
    await this.#ask({ path, task: 'run' });
  }

  /**
   * Resolves when what this path leads to answers: a call for it that comes right after waits for no dead server. Takes no thread where the kernel
   * has the way in its cache, as it has for what is used all the time, so that asking often costs nothing.
   */
  async reach(path: string): Promise<void> {
    if (!surelyThere(path)) await this.#ask({ path, task: 'find' });
  }

  /** As `checkProgram`, for what is run all the time (reach). */
  async reachProgram(path: string): Promise<void> {
    await this.reach(path);
    await access(path, constants.X_OK);
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#threads.close();
  }

  async #ask<Task extends keyof PathTasks>(request: PathRequest & { readonly task: Task }): Promise<PathTasks[Task]> {
    // The usual case of most of these files: there is none. A link that leads nowhere can be looked for, though.
    if (request.task !== 'look for' && surelyAbsent(request.path)) throw fileErrorOf('ENOENT', `ENOENT: no such file or directory, ${request.task} '${request.path}'`);
    const answer = await this.#threads.attempt(request);
    if ('found' in answer) return answer.found;
    throw fileErrorOf(answer.code, answer.message);
  }
}

function fileErrorOf(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

export const fencedFiles = new FencedFiles(new PathResolver({ onceAPath: true }));
