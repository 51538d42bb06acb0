/** An image archive may be compressed as a whole, whatever its name says. */
import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { messageOf } from '../../base/errors.ts';
import { badArchive } from '../../part/archive/archive-index.ts';
import { detectCompression } from '../../part/layer/inflate.ts';
import { ZstdFrameCutter } from '../../part/layer/zstd-frames.ts';

const pieceBytes = 256 * 1024;
/** What tells the compression. */
const headBytes = 4;

/** The archive's tar: inflated where it is gzip or zstd, else as it is. Damaged data: failed-precondition; what `bytes` throws comes through. */
export async function* inflateArchive(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const pieces = withHead(bytes);
  const first = await pieces.next();
  if (first.done === true) return;
  const compression = detectCompression(first.value);
  const all = startingWith(first.value, pieces);
  if (compression === 'none') return yield* all;
  // What the source throws must not be taken for damage: it is kept, and thrown as it was.
  const source: { error?: unknown } = {};
  const decoder = compression === 'gzip' ? createGunzip({ chunkSize: pieceBytes }) : createZstdDecompress({ chunkSize: pieceBytes });
  const cutter = compression === 'zstd' ? new ZstdFrameCutter() : undefined;
  const feed = Readable.from(watched(all, cutter, source), { objectMode: false });
  feed.on('error', (error) => decoder.destroy(error));
  feed.pipe(decoder);
  try {
    for await (const piece of decoder) yield piece as Buffer;
  } catch (error) {
    if ('error' in source) throw source.error;
    throw badArchive(`its ${compression} data is damaged: ${messageOf(error)}`);
  } finally {
    feed.destroy();
    decoder.destroy();
  }
}

async function* watched(pieces: AsyncIterable<Buffer>, cutter: ZstdFrameCutter | undefined, source: { error?: unknown }): AsyncGenerator<Buffer> {
  const iterator = pieces[Symbol.asyncIterator]();
  for (;;) {
    const next = await iterator.next().catch((error: unknown) => {
      source.error = error;
      throw error;
    });
    if (next.done === true) return;
    if (cutter === undefined) yield next.value;
    else yield* cutter.cut(next.value);
  }
}

/** The first piece has enough bytes to tell the compression, if the archive has so many. */
async function* withHead(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const piece of bytes) {
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (head === undefined) {
      yield buffer;
      continue;
    }
    head = Buffer.concat([head, buffer]);
    if (head.length < headBytes) continue;
    yield head;
    head = undefined;
  }
  if (head !== undefined && head.length > 0) yield head;
}

async function* startingWith(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}
