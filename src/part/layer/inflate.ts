/** Decompression of a layer. The bytes decide what it is, not the media type: registries and builders get that wrong. */
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Transform } from 'node:stream';
import { failure, messageOf } from '../../base/errors.ts';
import { freeSpent } from '../../base/spent-bytes.ts';
import { ZstdFrameCutter } from './zstd-frames.ts';

/** Inflated bytes come in pieces of this size; several wait while the consumer is busy, so that inflating goes on meanwhile. */
const pieceBytes = 256 * 1024;
const waitingBytes = 4 * pieceBytes;

export type Compression = 'gzip' | 'zstd' | 'none';

/** Tells the compression from the first four bytes. */
export function detectCompression(head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length >= 4 && (head.readUInt32LE(0) === 0xfd2fb528 || (head.readUInt32LE(0) & 0xfffffff0) === 0x184d2a50)) return 'zstd';
  return 'none';
}

/**
 * Inflates what `source` yields and hands it on in order: gzip (also of several members), zstd (also of several frames) or
 * nothing at all. Zlib works in libuv's pool while `consume` runs here, which must not keep the bytes. A piece that `source`
 * yielded is free for reuse when it is asked for the next one. Damaged data: failed-precondition.
 */
export async function inflate(source: AsyncIterable<Buffer>, consume: (bytes: Buffer) => void): Promise<void> {
  const pieces = source[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done === true) return;
  const all = startingWith(first.value, pieces);
  const compression = detectCompression(first.value);
  if (compression === 'none') {
    for await (const piece of all) consume(piece);
    return;
  }
  const options = { chunkSize: pieceBytes, readableHighWaterMark: waitingBytes };
  const decoder = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  const cutter = compression === 'zstd' ? new ZstdFrameCutter() : undefined;
  const feeding = feed(all, cutter, decoder);
  try {
    for await (const piece of decoder as AsyncIterable<Buffer>) {
      consume(piece);
      freeSpent(piece); // the decoder fills one buffer after the other, each in one or more pieces
    }
  } catch (error) {
    throw isDecoderError(error) ? failure('failed-precondition', { act: 'inflate layer', why: `the ${compression} data is damaged: ${messageOf(error)}`, cause: error }) : error;
  }
  await feeding;
}

async function* startingWith(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

// Never rejects: what goes wrong here comes out of the decoder's reading side, where it is awaited.
async function feed(source: AsyncIterable<Buffer>, cutter: ZstdFrameCutter | undefined, decoder: Transform): Promise<void> {
  try {
    for await (const piece of source) {
      for (const part of cutter?.cut(piece) ?? [piece]) await written(decoder, part);
    }
    decoder.end();
  } catch (error) {
    decoder.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Resolves when the decoder needs `bytes` no more. */
function written(decoder: Transform, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    decoder.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function isDecoderError(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && (code.startsWith('Z_') || code.startsWith('ZSTD_'));
}
