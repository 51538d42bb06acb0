/**
 * The files of an administrator's configuration folders, parsed. Folders are listed and files looked at on each use, so that what was just written
 * counts; a file is read and parsed again only when it is another version (inode, size, times). No watcher, hence nothing to lose.
 */
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { inTime } from './in-time.ts';

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
    const act = `read ${this.#options.what} files`;
    const known = new Map<string, Known<T>>();
    for (const [folder, path] of folders.entries()) {
      for (const one of await inTime(this.#folder(path, folder), { act, path })) known.set(one.file.path, one);
    }
    for (const [path, { version, file }] of known) {
      if (file.problem !== undefined && this.#known.get(path)?.version !== version) this.#options.log.warn(`${this.#options.what} file left out`, { file: path, problem: file.problem });
    }
    this.#known = known;
    return [...known.values()].map(({ file }) => file);
  }

  async #folder(path: string, folder: number): Promise<Known<T>[]> {
    let names: string[];
    try {
      names = await readdir(path);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      return [{ version: messageOf(error), file: { path, name: '', folder, content: undefined, problem: messageOf(error) } }];
    }
    const wanted = names.filter((name) => this.#options.suffixes.some((suffix) => name.endsWith(suffix))).sort();
    const files = await Promise.all(wanted.map((name) => this.#file(join(path, name), { name, folder })));
    return files.filter((file) => file !== undefined);
  }

  async #file(path: string, place: { name: string; folder: number }): Promise<Known<T> | undefined> {
    let version = '';
    try {
      version = versionOf(await stat(path, { bigint: true }), place.folder);
      const known = this.#known.get(path);
      if (known?.version === version) return known;
      const read = await readWhole(path);
      version = versionOf(read.stats, place.folder);
      return { version, file: { path, ...place, content: await this.#options.parse(read.text, path), problem: undefined } };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined; // taken away between the listing and now
      return { version, file: { path, ...place, content: undefined, problem: messageOf(error) } };
    }
  }
}

function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats, folder: number): string {
  return [dev, ino, size, mtimeNs, ctimeNs, folder].join();
}

// Opened without blocking: a FIFO would wait for a writer.
async function readWhole(path: string): Promise<{ text: string; stats: BigIntStats }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) throw new Error('it is not a regular file');
    if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes, more than ${maxBytes}`);
    return { text: await file.readFile('utf8'), stats };
  } finally {
    await file.close();
  }
}
