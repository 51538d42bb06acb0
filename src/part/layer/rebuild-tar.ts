/** A layer's tar again, from its outline (tar-outline.ts has the format) and its unpacked directory. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import type { Digest } from '../../base/digest.ts';
import { openFileBeneath } from '../../host/beneath.ts';
import { readExtents } from '../../host/read-extents.ts';
import { quoteName } from './tar-header.ts';
import { contentFlag, outlineFrameBytes, sparseContentFlag } from './tar-outline.ts';
import type { SparseMap } from './tar-sparse.ts';

export interface StoredTar {
  /** The outline's file. */
  readonly outline: string;
  /** The unpacked layer. */
  readonly directory: string;
  readonly diffId: Digest;
}

const unzstd = promisify(zstdDecompress) as (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

/**
 * Yields the tar in pieces and checks it on the way. A layer that no longer gives it back is failed-precondition: what its directory
 * holds was changed, or its tar has one name twice, so that only the later content is there. Often that is told at the end only, so
 * what came before must not be used then.
 */
export async function* rebuildTar(stored: StoredTar): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const piece of pieces(stored)) {
    hash.update(piece);
    yield piece;
  }
  const actual = `sha256:${hash.digest('hex')}`;
  if (actual !== stored.diffId) throw cannotRebuild(stored, `what is on disk gives ${actual}`);
}

async function* pieces(stored: StoredTar): AsyncGenerator<Buffer> {
  const outline = new OutlineReader(stored);
  try {
    for (let head = await outline.takeLength(); head !== undefined; head = await outline.takeLength()) {
      if (head < contentFlag) {
        yield await outline.take(head);
        continue;
      }
      const isSparse = (head & sparseContentFlag) !== 0;
      const name = await outline.take(head - contentFlag - (isSparse ? sparseContentFlag : 0));
      const size = await outline.takeLong();
      yield* contentOf(stored, name, { size, extents: isSparse ? await outline.takeExtents() : [{ offset: 0, length: size }] });
    }
  } finally {
    await outline.close();
  }
}

/** The inflated outline, piece by piece. */
class OutlineReader {
  readonly #stored: StoredTar;
  #file: FileHandle | undefined;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stored: StoredTar) {
    this.#stored = stored;
  }

  /** The 32-bit number that a record begins with; undefined at the end. */
  async takeLength(): Promise<number | undefined> {
    if (this.#rest.length === 0 && !(await this.#nextFrame())) return undefined;
    return (await this.take(4)).readUInt32LE();
  }

  async take(length: number): Promise<Buffer> {
    while (this.#rest.length < length) {
      if (!(await this.#nextFrame())) throw cannotRebuild(this.#stored, 'its outline is cut short');
    }
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async takeLong(): Promise<number> {
    return Number((await this.take(8)).readBigUInt64LE());
  }

  async takeExtents(): Promise<SparseMap['extents']> {
    const count = (await this.take(4)).readUInt32LE();
    const numbers = await this.take(count * 16);
    return Array.from({ length: count }, (_, n) => ({ offset: Number(numbers.readBigUInt64LE(n * 16)), length: Number(numbers.readBigUInt64LE(n * 16 + 8)) }));
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #nextFrame(): Promise<boolean> {
    const length = await this.#read(4);
    if (length.length === 0) return false;
    const size = length.length < 4 ? Infinity : length.readUInt32LE();
    // Packed bytes are hardly ever more than the bytes themselves; a larger number is damage, and not to be allocated.
    const packed = size <= 2 * outlineFrameBytes ? await this.#read(size) : undefined;
    if (packed?.length !== size) throw cannotRebuild(this.#stored, 'its outline is damaged');
    try {
      this.#rest = Buffer.concat([this.#rest, await unzstd(packed, { maxOutputLength: outlineFrameBytes })]);
    } catch (cause) {
      throw cannotRebuild(this.#stored, `its outline is damaged: ${messageOf(cause)}`);
    }
    return true;
  }

  async #read(length: number): Promise<Buffer> {
    try {
      this.#file ??= await open(this.#stored.outline);
    } catch (cause) {
      if (hasCode(cause, 'ENOENT')) throw cannotRebuild(this.#stored, 'its outline is gone');
      throw cause;
    }
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, (await this.#file.read(bytes, 0, length)).bytesRead);
  }
}

/** What the tar has of a file's content, which must be of exactly its size. The name came out of an image: it is looked up inside the layer only. */
async function* contentOf(stored: StoredTar, name: Buffer, { size, extents }: SparseMap): AsyncGenerator<Buffer> {
  const shown = quoteName(name.toString('latin1'));
  const descriptor = openFileBeneath(stored.directory, name);
  if (descriptor === undefined) throw cannotRebuild(stored, `the file ${shown} is not there`);
  try {
    if (fstatSync(descriptor).size !== size) throw cannotRebuild(stored, `the file ${shown} has not the size that it had there`);
    let left = extents.reduce((sum, { length }) => sum + length, 0);
    for await (const piece of readExtents(descriptor, extents)) {
      left -= piece.length;
      yield piece;
    }
    if (left > 0) throw cannotRebuild(stored, `the file ${shown} is cut short`);
  } finally {
    closeSync(descriptor);
  }
}

function cannotRebuild(stored: StoredTar, why: string): GantryError {
  return failure('failed-precondition', { act: 'rebuild layer', object: stored.diffId, why: `${why}; what is on disk was changed since, or its tar had a name twice: get the image from its registry instead` });
}
