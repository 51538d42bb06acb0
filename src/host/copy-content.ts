/** What a file has in it, copied in the kernel. */
import { ftruncateSync, readSync, writeSync } from 'node:fs';
import { hasCode } from '../base/errors.ts';
import { libc, SEEK_DATA, SEEK_HOLE, SEEK_SET } from './libc.ts';

/** How much one system call copies: between two the caller may stop it. A multiple of every block size, without which no blocks are shared. */
const chunkBytes = 64 << 20;
const bufferBytes = 1 << 20;

/** Of a descriptor that is open for reading, and of one of an empty file that is open for writing. */
export interface CopiedFile {
  readonly from: number;
  readonly to: number;
  /** Of the content, in bytes. */
  readonly size: number;
}

/**
 * Copies the content: shares the blocks where the filesystem can (XFS, btrfs), and leaves holes as they are. `proceed` is called
 * before each part of at most 64 MiB, and stops it by throwing. Fails with the errno's code. It blocks: for threads of their own.
 */
export function copyContent({ from, to, size }: CopiedFile, proceed: () => void): void {
  for (let position = nextData(from, 0, size); position < size;) {
    const end = Math.min(libc.lseek(from, position, SEEK_HOLE), size);
    copyRange({ from, to, position, end }, proceed);
    position = nextData(from, end, size);
  }
  ftruncateSync(to, size);
}

function nextData(from: number, position: number, size: number): number {
  if (position >= size) return size;
  try {
    return libc.lseek(from, position, SEEK_DATA);
  } catch (error) {
    if (hasCode(error, 'ENXIO')) return size; // the rest is a hole
    throw error;
  }
}

function copyRange({ from, to, position, end }: { from: number; to: number; position: number; end: number }, proceed: () => void): void {
  for (const fd of [from, to]) libc.lseek(fd, position, SEEK_SET);
  for (let left = end - position; left > 0;) {
    proceed();
    const copied = copyPart(from, to, Math.min(left, chunkBytes));
    if (copied === 0) return; // it became shorter
    left -= copied;
  }
}

/** Between two filesystems, and on those that cannot copy by themselves, it is read and written. */
function copyPart(from: number, to: number, length: number): number {
  try {
    return libc.copyFileRange(from, to, length);
  } catch (error) {
    if (!['EXDEV', 'EINVAL', 'ENOTSUP', 'ENOSYS'].some((code) => hasCode(error, code))) throw error;
  }
  const buffer = Buffer.allocUnsafe(Math.min(length, bufferBytes));
  const read = readSync(from, buffer, 0, buffer.length, null);
  for (let written = 0; written < read;) written += writeSync(to, buffer, written, read - written, null);
  return read;
}
