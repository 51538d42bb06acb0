/**
 * Paths that an image or a user chose, opened so that they can never lead outside the given root: the kernel itself treats
 * `root` as `/` (openat2, RESOLVE_IN_ROOT), so absolute symlinks and `..` stay inside, and magic links (/proc/self/fd/…)
 * are refused. Checking a path first and opening it afterwards would be a race; here there is nothing to check.
 *
 * The calls are synchronous: `root` is a directory of our own on a local disk (a container's rootfs), never a user's volume.
 */
import { chownSync, closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { failure, hasCode } from '../base/errors.ts';
import { libc, O_CLOEXEC, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from './libc.ts';

const inRoot = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

/**
 * Opens `path` as seen from inside `root`. Returns a close-on-exec descriptor that the caller closes. Fails with the errno's
 * code (`ENOENT`, `ELOOP`, …). Opening a FIFO or a device has effects; for reading a file use openFileBeneath.
 */
export function openBeneath(root: string, path: string | Buffer, flags: number, mode = 0): number {
  refuseNul(path);
  const rootFd = openSync(root, O_PATH | constants.O_DIRECTORY | O_CLOEXEC);
  try {
    return libc.openat2(rootFd, path.length === 0 ? '.' : path, flags | O_CLOEXEC, mode, inRoot);
  } finally {
    closeSync(rootFd);
  }
}

/**
 * Opens a regular file for reading; undefined when there is none. What is there but is no regular file (a FIFO would block us, a
 * device could do anything) is failed-precondition, and it is never opened: its type is read from an O_PATH handle first.
 */
export function openFileBeneath(root: string, path: string | Buffer): number | undefined {
  const handle = handleBeneath(root, path);
  if (handle === undefined) return undefined;
  try {
    if (!fstatSync(handle).isFile()) throw failure('failed-precondition', { act: 'read', object: path.toString(), why: 'it is not a regular file' });
    return openSync(`/proc/self/fd/${handle}`, constants.O_RDONLY | O_CLOEXEC);
  } finally {
    closeSync(handle);
  }
}

/**
 * What `path` leads to as seen from inside `root`, with its path on this host, absolute and without symlinks; undefined when there is
 * nothing. The path holds for as long as nobody changes the tree. Nothing is opened. Fails with the errno's code (`ELOOP`, …).
 */
export function findBeneath(root: string, path: string): { readonly path: string; readonly stats: Stats } | undefined {
  const handle = handleBeneath(root, path);
  if (handle === undefined) return undefined;
  try {
    return { path: readlinkSync(`/proc/self/fd/${handle}`), stats: fstatSync(handle) };
  } finally {
    closeSync(handle);
  }
}

/** Names what is there without opening it; undefined when there is nothing. */
function handleBeneath(root: string, path: string | Buffer): number | undefined {
  try {
    return openBeneath(root, path, O_PATH);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * The content of a regular file, or undefined when there is none. More than `maxBytes` of it is failed-precondition: an image can hold
 * a file of any size and must not fill our memory with it.
 */
export function readFileBeneath(root: string, path: string, maxBytes: number): Buffer | undefined {
  const fd = openFileBeneath(root, path);
  if (fd === undefined) return undefined;
  try {
    // One byte more than allowed: the size that fstat tells may change while we read.
    const content = Buffer.alloc(Math.min(fstatSync(fd).size, maxBytes) + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < content.length; length += got) got = readSync(fd, content, length, content.length - length, null);
    if (length > maxBytes) throw failure('failed-precondition', { act: 'read', object: path, why: `it is larger than ${maxBytes} bytes` });
    return content.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** What new directories are like. */
export interface NewDirectory {
  readonly mode: number;
  /** Left out: the caller. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Makes a directory and its missing parents, like mkdir -p as seen from inside `root`; existing ones stay as they are. A path element
 * `..` is invalid-argument; something in the way that is no directory fails with its errno's code (`ENOTDIR`, `ELOOP`, …).
 */
export function mkdirBeneath(root: string, path: string, wanted: NewDirectory): void {
  refuseNul(path);
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw failure('invalid-argument', { act: 'make directory', object: path, why: 'it has an element ..' });
  let parent = openDirectory(root, '/');
  try {
    for (const [index, name] of names.entries()) {
      const child = openOrMake(parent, name, { root, path: `/${names.slice(0, index + 1).join('/')}`, wanted });
      closeSync(parent);
      parent = child;
    }
  } finally {
    closeSync(parent);
  }
}

// mkdir never follows a symlink in the last element, and the parent is a handle that was opened in the root, so the new
// directory is inside. A dangling symlink in the way stays: mkdir says EEXIST and opening says ENOENT again.
function openOrMake(parent: number, name: string, { root, path, wanted }: { root: string; path: string; wanted: NewDirectory }): number {
  try {
    return openDirectory(root, path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  try {
    mkdirSync(`/proc/self/fd/${parent}/${name}`, wanted.mode);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    return openDirectory(root, path);
  }
  const made = openDirectory(root, path);
  if (wanted.owner !== undefined) chownSync(`/proc/self/fd/${made}`, wanted.owner.uid, wanted.owner.gid);
  return made;
}

function openDirectory(root: string, path: string): number {
  return openBeneath(root, path, O_PATH | constants.O_DIRECTORY);
}

// A C string ends at its first NUL: what the kernel opened would not be what the caller named.
function refuseNul(path: string | Buffer): void {
  if (path.includes('\0')) throw failure('invalid-argument', { act: 'open', object: JSON.stringify(path.toString().slice(0, 100)), why: 'it has a NUL byte' });
}
