/** The thread behind PathResolver: synchronous calls that may never come back, which is why they are made here and nowhere else. */
import { accessSync, closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { deviceOf } from './device-node.ts';
import type { HostDevice } from './device-node.ts';
import { devicesAt } from './device-tree.ts';
import type { FoundDevice } from './device-tree.ts';

/** A device or a FIFO, which has the numbers 0. */
export type NodeAt = Pick<HostDevice, 'major' | 'minor' | 'mode'> & { readonly type: 'c' | 'b' | 'p' };

/** What each task gives. */
export interface PathTasks {
  /** The path without symlinks. */
  'find': string;
  'make directory': string;
  'look at device': FoundDevice[];
  /** Undefined: something else. A symlink is not followed. */
  'look at': NodeAt | undefined;
  /** The text of a regular file. */
  'read': string;
  /** A regular file, and which version of it that is. */
  'read file': { readonly bytes: Uint8Array; readonly version: string };
  /** What is in a folder, by name. */
  'list folder': string[];
  /** The files of a folder, by name, and which version of each is there now; or why that cannot be told. */
  'look into': ListedFile[];
  'look for': true;
  'run': true;
  'write in': true;
}

/** A version is the file's inode, size and times. */
export type ListedFile = { readonly name: string } & ({ readonly version: string } | { readonly problem: string });

export interface PathRequest {
  readonly path: string;
  readonly task: keyof PathTasks;
  /** For `read`. */
  readonly maxBytes?: number;
  /** For `look into`: how the names end that count. */
  readonly suffixes?: readonly string[];
}

/** What was found, or what Node's error said. */
export type PathAnswer = { readonly found: PathTasks[keyof PathTasks] } | { readonly code: string; readonly message: string };

type Wanted = Required<Pick<PathRequest, 'maxBytes' | 'suffixes'>>;

const tasks: { readonly [Task in keyof PathTasks]: (path: string, wanted: Wanted) => PathTasks[Task] } = {
  'find': touched,
  'make directory': (path) => {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return touched(path);
  },
  'look at device': devicesAt,
  'look at': (path) => {
    const stats = lstatSync(path);
    return stats.isFIFO() ? { type: 'p', major: 0, minor: 0, mode: stats.mode & 0o777 } : deviceOf(stats);
  },
  'read': (path, { maxBytes }) => readRegular(path, maxBytes).bytes.toString('utf8'),
  'read file': (path, { maxBytes }) => readRegular(path, maxBytes),
  'list folder': (path) => readdirSync(path).sort(),
  'look into': listVersions,
  'look for': (path) => {
    lstatSync(path);
    return true;
  },
  'run': (path) => allowed(path, constants.X_OK),
  'write in': (path) => allowed(path, constants.W_OK),
};

parentPort?.on('message', (request: PathRequest) => parentPort?.postMessage(answer(request), []));

function answer({ path, task, maxBytes = 0, suffixes = [] }: PathRequest): PathAnswer {
  try {
    return { found: tasks[task](path, { maxBytes, suffixes }) };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return { code, message };
  }
}

function touched(path: string): string {
  const real = realpathSync.native(path);
  // So that a file system that does not answer is noticed here and not by the OCI runtime.
  statSync(real);
  return real;
}

function readRegular(path: string, maxBytes: number): { bytes: Buffer; version: string } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO would be waited for
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) throw new Error('it is not a regular file');
    if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes, and at most ${maxBytes} are read`);
    return { bytes: readFileSync(fd), version: versionOf(stats) };
  } finally {
    closeSync(fd);
  }
}

function listVersions(folder: string, { suffixes }: Wanted): ListedFile[] {
  const names = readdirSync(folder).filter((name) => suffixes.some((suffix) => name.endsWith(suffix))).sort();
  return names.flatMap((name): ListedFile[] => {
    try {
      const stats = statSync(join(folder, name), { bigint: true, throwIfNoEntry: false });
      return stats === undefined ? [] : [{ name, version: versionOf(stats) }];
    } catch (error) {
      return [{ name, problem: (error as Error).message }];
    }
  });
}

function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join();
}

function allowed(path: string, mode: number): true {
  accessSync(path, mode);
  return true;
}
