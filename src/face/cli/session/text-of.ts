import type { Readable } from 'node:stream';

/** Runtimes put a sentence there. */
const longest = 64 << 10;

/** All that comes on a stream until it ends or breaks; what is beyond 64 KiB is read and dropped. */
export async function textOf(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      if (size < longest) parts.push(part);
      size += part.length;
    }
  } catch {
    // What came counts.
  }
  return Buffer.concat(parts).toString('utf8').slice(0, longest);
}
