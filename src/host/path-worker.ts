/** The thread behind PathResolver: synchronous calls that may never come back, which is why they are made here and nowhere else. */
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, realpathSync, statSync } from 'node:fs';
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
}

export interface PathRequest {
  readonly path: string;
  readonly task: keyof PathTasks;
  /** For `read`. */
  readonly maxBytes?: number;
}

/** What was found, or what Node's error said. */
export type PathAnswer = { readonly found: PathTasks[keyof PathTasks] } | { readonly code: string; readonly message: string };

const tasks: { readonly [Task in keyof PathTasks]: (path: string, maxBytes: number) => PathTasks[Task] } = {
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
  'read': readRegular,
};

parentPort?.on('message', (request: PathRequest) => parentPort?.postMessage(answer(request), []));

function answer({ path, task, maxBytes = 0 }: PathRequest): PathAnswer {
  try {
    return { found: tasks[task](path, maxBytes) };
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

function readRegular(path: string, maxBytes: number): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO would be waited for
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new Error('it is not a regular file');
    if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes, and at most ${maxBytes} are read`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
