/** Parts of a file, read in pieces on libuv's pool. */
import { read } from 'node:fs';
import { promisify } from 'node:util';

export interface Extent {
  readonly offset: number;
  readonly length: number;
}

const readSome = promisify(read);
const pieceBytes = 256 * 1024;

/** Yields the extents' bytes in the order given. A file that ends before an extent does ends them all: who counts the bytes sees it. */
export async function* readExtents(descriptor: number, extents: readonly Extent[]): AsyncGenerator<Buffer> {
  for (const { offset, length } of extents) {
    for (let at = offset; at < offset + length;) {
      const wanted = Math.min(pieceBytes, offset + length - at);
      const { bytesRead, buffer } = await readSome(descriptor, Buffer.allocUnsafe(wanted), 0, wanted, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
}
