/**
 * The server that exec, attach and port-forward clients come to, with the URL that the CRI's answer named. It listens apart from the CRI
 * socket, as the kubelet passes clients' bytes on to it over TCP.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../../base/errors.ts';
import { serveClient } from './serve-client.ts';
import type { Client } from './serve-client.ts';
import type { Refusal } from './negotiate.ts';
import type { SessionDeps } from './session.ts';
import { Tickets } from './tickets.ts';
import type { Admitted } from './tickets.ts';
import { TlsFiles } from './tls-files.ts';
import type { TlsSettings } from './tls-files.ts';

export interface StreamServerOptions extends SessionDeps {
  /** An IP address of this node. */
  readonly address: string;
  /** 0 is any that is free. */
  readonly port: number;
  /** Without it bytes travel in the clear, which on loopback nobody else can read. */
  readonly tls: TlsSettings | undefined;
  readonly maxSessions: number;
}

/** Where the CRI's answers get their URLs from. */
export interface SessionOffers {
  /** A URL that admits one client, within a minute. Too many sessions: resource-exhausted. */
  offer(admitted: Admitted): Promise<string>;
}

export interface StreamServer extends SessionOffers {
  /** Where it listens, with the port that it got. */
  readonly url: string;
  /** Sessions that go on, and tickets that wait for their client. */
  readonly load: { readonly sessions: number; readonly tickets: number };
  /** Takes no more clients and ends every session, telling its client why; those that take longer than `graceMs` are cut off. */
  close(graceMs: number): Promise<void>;
}

// Not imported: an import reads every export of node:http, one of which loads Node's whole HTTP client, a tenth of the daemon's start.
const { createServer: createHttpServer } = process.getBuiltinModule('node:http');
const { createServer: createHttpsServer } = process.getBuiltinModule('node:https');

/** Who connects has something to ask. */
const requestTimeoutMs = 10_000;
const longestHeaders = 16 << 10;
/** Where a server on all addresses is reached from this node. */
const loopbackOf: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
/** How long sessions that were cut off get to clean up. */
const lastWordsMs = 250;

/** Begins to listen. An address or port that is not to be had is failed-precondition, as is a certificate that can't be used. */
export async function serveStreams(options: StreamServerOptions): Promise<StreamServer> {
  const tls = options.tls && new TlsFiles(options.tls, options.log);
  const http = { maxHeaderSize: longestHeaders, headersTimeout: requestTimeoutMs, requestTimeout: requestTimeoutMs, connectionsCheckingInterval: requestTimeoutMs / 2 };
  const listener: Server | HttpsServer = tls ? createHttpsServer({ ...http, ...await tls.read() }) : createHttpServer(http);
  const tickets = new Tickets({ most: options.maxSessions });
  const clients = new Map<Client, Promise<void>>();
  let stopping = false;

  listener.on('request', (request, response) => {
    const { status, why } = tickets.knows(request.url ?? '') ? onlyUpgrades : unknownUrl;
    response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${why}\n`);
  });
  listener.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {}); // whoever has the socket then hears of it by its end
    const admitted = stopping ? undefined : tickets.redeem(request.url ?? '');
    if (admitted === undefined) return refuse(socket, unknownUrl);
    const client = serveClient({ request, socket, head, admitted }, { ...options, refuse });
    clients.set(client, client.done.finally(() => {
      clients.delete(client);
      tickets.giveBack();
    }));
  });
  await listening(listener, options);
  const url = baseUrl(listener, tls !== undefined);

  const close = async (graceMs: number): Promise<void> => {
    stopping = true;
    tickets.revokeAll();
    listener.close();
    listener.closeAllConnections();
    for (const client of clients.keys()) client.session.end(client.session.failure('unavailable', 'gantry is stopping'));
    await Promise.race([Promise.all(clients.values()), sleep(graceMs, undefined, { ref: false })]);
    for (const client of clients.keys()) client.destroy();
    await Promise.race([Promise.all(clients.values()), sleep(lastWordsMs, undefined, { ref: false })]);
  };
  let closing: Promise<void> | undefined;
  return {
    url,
    get load() {
      return { sessions: tickets.inUse, tickets: tickets.waiting };
    },
    async offer(admitted) {
      const renewed = await tls?.readIfChanged(); // each connection has an offer before it: no other moment is needed
      if (renewed !== undefined) (listener as HttpsServer).setSecureContext(renewed);
      if (stopping) throw failure('unavailable', { act: 'open stream session', why: 'gantry is stopping; ask again when it is back' });
      return `${url}${tickets.issue(admitted)}`;
    },
    close: (graceMs) => closing ??= close(graceMs),
  };
}

const unknownUrl: Refusal = { status: 404, why: 'no session waits at this address: each can be used once, within a minute' };
const onlyUpgrades: Refusal = { status: 426, why: 'a session needs an upgrade to SPDY/3.1 or websocket' };

/** Answers in HTTP and closes. */
function refuse(socket: Duplex, { status, why }: Refusal): void {
  const reason = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 426: 'Upgrade Required' }[status];
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(why) + 1}\r\nConnection: close\r\n\r\n${why}\n`);
  socket.once('finish', () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), requestTimeoutMs);
  socket.once('close', () => clearTimeout(timer));
}

async function listening(listener: Server, { address, port, log }: StreamServerOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (error) => {
      const why = hasCode(error, 'EADDRINUSE') ? 'another program listens there; choose another streaming.port, or 0 for any that is free' : undefined;
      reject(failure('failed-precondition', { act: 'listen for streams', object: `${address} port ${port}`, cause: error, ...(why === undefined ? {} : { why }) }));
    });
    listener.listen({ host: address, port }, resolve);
  });
  listener.on('error', (error) => log.warn('a client of streams could not be accepted', { error: error.message }));
}

function baseUrl(listener: Server, tls: boolean): string {
  const { address, port } = listener.address() as AddressInfo;
  const host = loopbackOf[address] ?? address;
  return `${tls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${port}/`;
}
