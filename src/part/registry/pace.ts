/**
 * How slow a registry may be. Only the time spent waiting for the network counts: a disk that keeps us from reading is not the
 * registry's fault.
 */
import type { Readable } from 'node:stream';
import { failure } from '../../base/errors.ts';

export interface Patience {
  /** For the connection with its TLS handshake. */
  readonly connectMs: number;
  /** From the request to the head of the answer. */
  readonly firstByteMs: number;
  /** Without a single byte. */
  readonly stallMs: number;
  /** A stream that brings less than `floorBytes` in `windowMs` of waiting is given up: a drip keeps no node busy for hours. */
  readonly floorBytes: number;
  readonly windowMs: number;
}

export const usualPatience: Patience = { connectMs: 30_000, firstByteMs: 60_000, stallMs: 30_000, floorBytes: 64 * 1024, windowMs: 60_000 };

/** The stream's chunks; a stall or a drip destroys the stream and throws unavailable. */
export async function* paced(stream: Readable, patience: Patience, host: string): AsyncGenerator<Buffer> {
  let waiting = false;
  const stall = setTimeout(() => {
    if (waiting) stream.destroy(tooSlow(host, `it sent nothing for ${patience.stallMs / 1000} s`));
  }, patience.stallMs);
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let windowBytes = 0;
  let windowMs = 0;
  try {
    for (;;) {
      waiting = true;
      stall.refresh();
      const began = performance.now();
      const next = await chunks.next();
      waiting = false;
      if (next.done === true) return;
      windowMs += performance.now() - began;
      windowBytes += next.value.length;
      if (windowMs >= patience.windowMs) {
        if (windowBytes < patience.floorBytes) throw tooSlow(host, `it sent only ${windowBytes} bytes in ${Math.round(windowMs / 1000)} s`);
        windowBytes = windowMs = 0;
      }
      yield next.value;
    }
  } finally {
    clearTimeout(stall);
    stream.destroy();
  }
}

/** Reads a whole small body; more than `maxBytes` is failed-precondition (CVE-2023-25153: metadata of any size in memory). */
export async function readCapped(stream: Readable, maxBytes: number, from: { patience: Patience; host: string; what: string }): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of paced(stream, from.patience, from.host)) {
    length += chunk.length;
    if (length > maxBytes) throw failure('failed-precondition', { act: 'read', object: from.what, why: `${from.host} sent more than the limit of ${maxBytes} bytes` });
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function tooSlow(host: string, why: string): Error {
  return failure('unavailable', { act: 'download from', object: host, why });
}
