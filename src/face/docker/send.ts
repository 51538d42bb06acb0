/** Sending answers, no faster than the client reads; one that reads nothing for minutes is cut off. */
import type { ServerResponse } from 'node:http';
import { failure } from '../../base/errors.ts';

/** A person may look at a page of `docker logs -f | less` for so long. */
export const patienceMs = 300_000;

export interface WholeAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Resolves when the client's kernel has all of it, or the client is gone. */
export async function sendWhole(response: ServerResponse, { status, type, body, headers = {} }: WholeAnswer): Promise<void> {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
  if (!response.closed) await untilOneOf(response, ['finish', 'close'], patienceMs);
}

/** Headers go out at once, as the first piece may be long in coming. Ends with `pieces`, or when the client goes away. */
export async function sendPieces(response: ServerResponse, { type, pieces }: { readonly type: string; readonly pieces: AsyncIterable<Uint8Array | string> }, stalledMs = patienceMs): Promise<void> {
  response.writeHead(200, { 'Content-Type': type });
  response.flushHeaders();
  for await (const piece of pieces) {
    if (response.closed) return;
    if (!response.write(piece)) await untilOneOf(response, ['drain', 'close'], stalledMs);
  }
  response.end();
  if (!response.closed) await untilOneOf(response, ['finish', 'close'], stalledMs);
}

/** deadline-exceeded when neither happens in time. */
async function untilOneOf(response: ServerResponse, events: readonly string[], ms: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(failure('deadline-exceeded', { act: 'send answer', why: `the client has read nothing for ${ms / 1000} s` })), ms);
  for (const event of events) response.on(event, resolve);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    for (const event of events) response.off(event, resolve);
  }
}
