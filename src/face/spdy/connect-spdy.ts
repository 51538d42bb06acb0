/** The client's way to a server of sessions: an HTTP request that becomes a SPDY connection. */
import * as http from 'node:http';
import * as https from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { failure } from '../../base/errors.ts';
import { SpdyConnection } from './spdy-connection.ts';

/** Of a refusal so much is shown. */
const longestRefusal = 1000;
const answerMs = 10_000;

export interface SpdyRequest {
  /** `http:` or `https:`, as the CRI gave it. */
  readonly url: string;
  /** Of `X-Stream-Protocol-Version`: what may be spoken over the connection. */
  readonly protocol: string;
  /** For messages: `exec in container`. */
  readonly act: string;
  readonly object: string;
  /** Ends the attempt, and after it the connection. */
  readonly signal: AbortSignal;
}

/**
 * Asks for SPDY/3.1. Refused: failed-precondition with the server's words; nobody there or no answer within 10 s: unavailable; aborted:
 * cancelled. A server on the loopback need not show a certificate that somebody vouches for: the URL came from the runtime itself.
 */
export async function connectSpdy({ url, protocol, act, object, signal }: SpdyRequest): Promise<SpdyConnection> {
  const { hostname, protocol: scheme } = new URL(url);
  const headers = { 'Connection': 'Upgrade', 'Upgrade': 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol };
  const options = { method: 'POST', agent: false, headers, timeout: answerMs, signal, rejectUnauthorized: !isLoopback(hostname) } as const;
  const request = (scheme === 'https:' ? https : http).request(url, options);
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  request.on('error', (cause) => reject(signal.aborted ? failure('cancelled', { act, object, cause }) : failure('unavailable', { act, object, cause })));
  request.on('timeout', () => request.destroy(new Error(`the runtime's stream server does not answer (waited ${answerMs / 1000} s)`)));
  request.on('response', (response) => void refusal(response).then((why) => reject(failure('failed-precondition', { act, object, why }))));
  request.on('upgrade', (_response, socket, head) => {
    socket.setTimeout(0);
    socket.setNoDelay(true);
    if (head.length > 0) socket.unshift(head);
    resolve(socket);
  });
  request.end();
  const connection = new SpdyConnection({ transport: await promise });
  const leave = (): void => connection.destroy();
  signal.addEventListener('abort', leave, { once: true });
  void connection.closed.then(() => signal.removeEventListener('abort', leave));
  return connection;
}

async function refusal(response: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const part of response) {
      text += String(part);
      if (text.length > longestRefusal) break;
    }
  } catch {
    // What was said until then is shown.
  }
  return `the runtime's stream server refused with ${response.statusCode}: ${text.trim().slice(0, longestRefusal)}`;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}
