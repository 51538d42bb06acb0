/** Copies of directory trees with all that a program could notice: owners, modes, times, attributes, symlinks, device nodes. */
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { chmod, copyFile, lchown, lstat, lutimes, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { hasCode } from '../base/errors.ts';
import { libc } from './libc.ts';

/**
 * Copies the directory `source` to `target`, which is made, or is an empty directory. Nobody may change either meanwhile. No symlink
 * is followed but in `source` itself. Hard links become files of their own, sockets are left out: nobody listens on a copy. Fails
 * with the errno's code; an aborted signal ends it with the signal's reason. Then `target` holds a part.
 */
export async function copyTree(source: string, target: string, signal: AbortSignal): Promise<void> {
  await copyDirectory(Buffer.from(`${source}/.`), Buffer.from(target), signal);
}

// Names of files are bytes: those of an image need not be UTF-8.
async function copyDirectory(source: Buffer, target: Buffer, signal: AbortSignal): Promise<void> {
  await mkdir(target, { mode: 0o700 }).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
  });
  for (const name of await readdir(source, { encoding: 'buffer' })) {
    signal.throwIfAborted();
    await copyEntry(below(source, name), below(target, name), signal);
  }
  // Last, as its content changes the times and a read-only mode could forbid it.
  await copyAttributes(source, target, await lstat(source));
}

async function copyEntry(source: Buffer, target: Buffer, signal: AbortSignal): Promise<void> {
  const stats = await lstat(source);
  if (stats.isDirectory()) return await copyDirectory(source, target, signal);
  if (stats.isSocket() || (!isText(target) && (stats.isFIFO() || stats.isBlockDevice() || stats.isCharacterDevice()))) return;
  if (stats.isSymbolicLink()) await symlink(await readlink(source, { encoding: 'buffer' }), target);
  else if (stats.isFile()) await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  else libc.mknod(target.toString(), stats.mode, BigInt(stats.rdev));
  await copyAttributes(source, target, stats);
}

// In this order: a new owner takes away set-user-ID bits and file capabilities.
async function copyAttributes(source: Buffer, target: Buffer, stats: Stats): Promise<void> {
  await lchown(target, stats.uid, stats.gid);
  if (!stats.isSymbolicLink()) await chmod(target, stats.mode & 0o7777);
  if (isText(source)) copyXattrs(source.toString(), target.toString());
  await lutimes(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
}

function copyXattrs(source: string, target: string): void {
  for (const name of libc.llistxattr(source)) {
    // SELinux labels are the node's to choose; what is trusted belongs to the file system that the source lies on.
    if (name === 'security.selinux' || name.startsWith('trusted.')) continue;
    const value = libc.lgetxattr(source, name);
    if (value !== undefined) libc.lsetxattr(target, name, value, 0);
  }
}

/** Other names can't be given to the calls of libc.ts: such a file goes without its attributes, such a device is left out. */
function isText(path: Buffer): boolean {
  return path.equals(Buffer.from(path.toString()));
}

function below(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}
