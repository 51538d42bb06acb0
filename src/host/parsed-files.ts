/**
 * The files of an administrator's configuration folders, parsed. Folders are listed and files looked at on each use, so that what was just written
 * counts; a file is read and parsed again only when it is another version (inode, size, times). No watcher, hence nothing to lose.
 */
import { join } from 'node:path';
import { during, GantryError, hasCode, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { fencedFiles } from './fenced-files.ts';
import type { ListedFile } from './path-worker.ts';

export interface ParsedFile<T> {
  /** Of the file; of the folder when that is what cannot be read. */
  readonly path: string;
  readonly name: string;
  /** Which of the folders it stands in. */
  readonly folder: number;
  /** Undefined when the file is broken: `problem` says why. */
  readonly content: T | undefined;
  readonly problem: string | undefined;
}

export interface ParsedFilesOptions<T> {
  /** What such a file is, for the log: `CDI spec`. */
  readonly what: string;
  /** How the names end; other files do not count. */
  readonly suffixes: readonly string[];
  /** What it throws is the file's problem. */
  readonly parse: (text: string, path: string) => T | Promise<T>;
  readonly log: Logger;
}

const maxBytes = 1 << 20;

interface Known<T> {
  readonly version: string;
  readonly file: ParsedFile<T>;
}

export class ParsedFiles<T> {
  readonly #options: ParsedFilesOptions<T>;
  #known: ReadonlyMap<string, Known<T>> = new Map();

  constructor(options: ParsedFilesOptions<T>) {
    this.#options = options;
  }

  /**
   * Every file of these folders, folder by folder, by name. A folder that is not there has none. A broken file is in the answer with its problem,
   * which is logged once for each version of it. Errors: deadline-exceeded when a file system does not answer.
   */
  async read(folders: readonly string[]): Promise<readonly ParsedFile<T>[]> {
    const known = new Map<string, Known<T>>();
    for (const [folder, path] of folders.entries()) {
      for (const one of await this.#folder(path, folder)) known.set(one.file.path, one);
    }
    for (const [path, { version, file }] of known) {
      if (file.problem !== undefined && this.#known.get(path)?.version !== version) this.#options.log.warn(`${this.#options.what} file left out`, { file: path, problem: file.problem });
    }
    this.#known = known;
    return [...known.values()].map(({ file }) => file);
  }

  async #folder(path: string, folder: number): Promise<Known<T>[]> {
    let listed: ListedFile[];
    try {
      listed = await fencedFiles.listVersions(path, this.#options.suffixes);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      if (error instanceof GantryError) throw during(error, { act: `read ${this.#options.what} files` });
      return [{ version: messageOf(error), file: { path, name: '', folder, content: undefined, problem: messageOf(error) } }];
    }
    const files: Known<T>[] = [];
    // One after the other: each that is under way has a thread.
    for (const file of listed) {
      const known = await this.#file(join(path, file.name), { listed: file, place: { name: file.name, folder } });
      if (known !== undefined) files.push(known);
    }
    return files;
  }

  async #file(path: string, { listed, place }: { listed: ListedFile; place: { name: string; folder: number } }): Promise<Known<T> | undefined> {
    if ('problem' in listed) return { version: listed.problem, file: { path, ...place, content: undefined, problem: listed.problem } };
    const versionHere = (version: string): string => `${version},${place.folder}`;
    let version = versionHere(listed.version);
    const known = this.#known.get(path);
    if (known?.version === version) return known;
    try {
      const read = await fencedFiles.readVersion(path, maxBytes).catch((error: unknown) => this.#unreadable(error));
      version = versionHere(read.version);
      return { version, file: { path, ...place, content: await this.#options.parse(read.bytes.toString('utf8'), path), problem: undefined } };
    } catch (error) {
      if (error instanceof Fenced) throw during(error.cause, { act: `read ${this.#options.what} files` });
      if (hasCode(error, 'ENOENT')) return undefined; // taken away between the listing and now
      return { version, file: { path, ...place, content: undefined, problem: messageOf(error) } };
    }
  }

  /** A file system that does not answer is no fault of the file. */
  #unreadable(error: unknown): never {
    throw error instanceof GantryError ? new Fenced('no answer', { cause: error }) : error;
  }
}

class Fenced extends Error {}
