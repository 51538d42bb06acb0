/** Joins a client's streams to a container's, which the Engine carries over one connection. */
import { once } from 'node:events';
import type { Duplex, Writable } from 'node:stream';
import { FrameReader } from '../api/demultiplex.ts';
import type { OutputFrame } from '../api/demultiplex.ts';
import type { SessionStreams } from '../../engine/stream-engine.ts';

/** Where output goes; it is read no faster than this takes it. */
export type Sink = (piece: OutputFrame) => Promise<void>;

/** Reads the connection to its end. On a terminal all of it is standard output. */
export async function readOutput(connection: Duplex, { tty, sink }: { readonly tty: boolean; readonly sink: Sink }): Promise<void> {
  const frames = new FrameReader();
  for await (const chunk of connection as AsyncIterable<Buffer>) {
    for (const piece of tty ? [{ stream: 'stdout' as const, bytes: chunk, last: true }] : frames.push(chunk)) await sink(piece);
  }
}

/** Writes output to the client; what it does not want, or takes no more, is dropped. */
export function clientSink({ stdout, stderr }: Pick<SessionStreams, 'stdout' | 'stderr'>): Sink {
  return async ({ stream, bytes }) => await write(stream === 'stdout' ? stdout : stderr, bytes);
}

async function write(to: Writable | undefined, bytes: Buffer): Promise<void> {
  if (to === undefined || to.destroyed || to.writableEnded) return;
  if (to.write(bytes)) return;
  const over = new AbortController();
  await Promise.race([once(to, 'drain', { signal: over.signal }), once(to, 'close', { signal: over.signal })]).catch(() => {}).finally(() => over.abort());
}
