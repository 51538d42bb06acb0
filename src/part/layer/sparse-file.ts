/** Writes files with holes, and knows what they take on disk. Synchronous, for the unpacking thread. */
import { fstatSync, ftruncateSync, writeSync } from 'node:fs';
import type { SparseMap } from './tar-sparse.ts';
import { checkHoles } from './unpack-limits.ts';
import type { UnpackLimits } from './unpack-limits.ts';

/** A file that is being written. */
export interface SparseFile {
  /** What it takes on disk, in bytes: whole blocks, each counted once. */
  readonly allocated: number;
  /** Writes the next bytes of the content; never more than the extents take, which the map's reader has made sure of. */
  write(bytes: Buffer): void;
}

/** The files with holes of one layer. */
export class SparseFiles {
  readonly #limits: UnpackLimits;
  readonly #blockSize: number;
  #bytes = 0;
  #padding = 0;
  /** By inode. */
  readonly #allocated = new Map<number, number>();

  constructor(limits: UnpackLimits, blockSize: number) {
    this.#limits = limits;
    this.#blockSize = blockSize;
  }

  /** What they take on disk beyond their content: a byte takes a whole block. */
  get padding(): number {
    return this.#padding;
  }

  /** Gives the new, empty file of the descriptor its size, all of it a hole. Where the filesystem has no files of that size, it fails with the errno's code. */
  open(descriptor: number, map: SparseMap): SparseFile {
    checkHoles(this.#limits, (this.#bytes += map.size));
    ftruncateSync(descriptor, map.size);
    const allocated = allocatedBytes(map, this.#blockSize);
    this.#padding += map.extents.reduce((left, { length }) => left - length, allocated);
    this.#allocated.set(fstatSync(descriptor).ino, allocated);
    return { allocated, write: writerInto(descriptor, map) };
  }

  /** What the file was counted as, which its size does not tell, now that it is removed; undefined when it had no holes. */
  forget(inode: number): number | undefined {
    const allocated = this.#allocated.get(inode);
    this.#allocated.delete(inode); // another file may get the number
    return allocated;
  }
}

function writerInto(descriptor: number, { extents }: SparseMap): (bytes: Buffer) => void {
  let index = 0;
  let done = 0; // of that extent
  return (bytes) => {
    for (let at = 0; at < bytes.length;) {
      const { offset, length } = extents[index]!;
      const written = writeSync(descriptor, bytes, at, Math.min(bytes.length - at, length - done), offset + done);
      at += written;
      done += written;
      if (done < length) continue;
      index += 1;
      done = 0;
    }
  };
}

function allocatedBytes({ extents }: SparseMap, blockSize: number): number {
  let blocks = 0;
  let counted = 0; // the first block that is not counted yet
  for (const { offset, length } of extents) {
    const end = Math.ceil((offset + length) / blockSize);
    blocks += end - Math.max(Math.floor(offset / blockSize), counted);
    counted = end;
  }
  return blocks * blockSize;
}
