/**
 * The read-only Docker Engine API on a unix socket, for agents that still ask docker.sock. It tells what the engine knows, in Docker's shapes; a request that would change
 * something is refused with what to do instead, and every client is recorded.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf, messageOf } from '../../base/errors.ts';
import type { ErrorKind } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Engine } from '../../engine/engine.ts';
import { listenAt } from '../grpc/listen-at.ts';
import type { DockerClients, Peer } from './clients.ts';
import { dockerState } from './docker-state.ts';
import type { DockerState } from './docker-state.ts';
import type { Answer } from './endpoint.ts';
import { endpoints } from './endpoints.ts';
import { jsonText } from './json-text.ts';
import { refusalMessage, refusals, unknownChange } from './refusals.ts';
import { newestVersion, Routes, targetOf } from './routes.ts';
import { sendPieces, sendWhole } from './send.ts';

export interface DockerServerOptions {
  readonly socketPath: string;
  readonly engine: Engine;
  readonly clients: DockerClients;
  /** Who is at the other end of a connection; undefined when it is closed already. */
  readonly peerOf: (socket: Socket) => Peer | undefined;
  readonly log: Logger;
  readonly version: string;
}

export interface DockerServer {
  /** Takes the socket away and ends every stream; connections that take longer than `graceMs` are cut. */
  close(graceMs: number): Promise<void>;
}

/** A node has tens of agents; what one more has to say can wait. */
const mostConnections = 256;
const longestHeaders = 16 << 10;
const requestTimeoutMs = 10_000;
const keepAliveMs = 60_000;

const statuses: Readonly<Record<ErrorKind, number>> = {
  'not-found': 404, 'already-exists': 409, 'invalid-argument': 400, 'failed-precondition': 409, 'resource-exhausted': 503,
  'unavailable': 503, 'deadline-exceeded': 504, 'cancelled': 503, 'unimplemented': 501, 'internal': 500,
};

const answered = new Routes(endpoints);
const refused = new Routes(refusals);

/** Serves on a socket of mode 0660. Errors: those of listenAt. */
export async function serveDocker({ socketPath, engine, clients, peerOf, log, version }: DockerServerOptions): Promise<DockerServer> {
  const state = dockerState({ engine, log, version });
  const stopping = new AbortController();
  const identified = new WeakMap<Socket, ReturnType<DockerClients['identify']> | undefined>();
  const limits = { maxHeaderSize: longestHeaders, headersTimeout: requestTimeoutMs, requestTimeout: requestTimeoutMs, keepAliveTimeout: keepAliveMs, connectionsCheckingInterval: requestTimeoutMs / 2 };
  const server = createServer(limits, (request, response) => {
    // A connection that is kept for a next request would keep a server from stopping.
    response.once('close', () => stopping.signal.aborted && setImmediate(() => server.closeIdleConnections()));
    void respond(request, response, state, stopping.signal).then(async (outcome) => {
      const client = await identified.get(request.socket);
      if (client !== undefined) clients.counted(client, { ...outcome, userAgent: request.headers['user-agent'] ?? '' });
    }).catch((error: unknown) => {
      log.debug('a request to the Docker API ended early', { error: messageOf(error) });
      response.destroy();
    });
  });
  server.maxConnections = mostConnections;
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket); // at once: a short-lived client is gone a moment later
    identified.set(socket, peer && clients.identify(peer));
  });
  server.once('drop', () => log.warn('the Docker API has more clients than it serves at a time: they are turned away', { most: mostConnections }));
  const takeAway = await listenAt(server, socketPath, 'listen for the Docker API');

  const close = async (graceMs: number): Promise<void> => {
    await takeAway();
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    stopping.abort();
    server.closeIdleConnections();
    await Promise.race([closed, sleep(graceMs, undefined, { ref: false })]);
    server.closeAllConnections();
  };
  let closing: Promise<void> | undefined;
  return { close: (graceMs) => closing ??= close(graceMs) };
}

interface Outcome {
  readonly endpoint: string;
  readonly refused: boolean;
}

/** Answers one request to its end and says what it was. */
async function respond(request: IncomingMessage, response: ServerResponse, state: DockerState, stopping: AbortSignal): Promise<Outcome> {
  response.setHeader('Api-Version', newestVersion);
  response.setHeader('Server', `Gantry/${state.version} (linux)`);
  request.resume(); // a body means nothing here, and who sends one must get to read the answer
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const method = request.method ?? '';
  let endpoint = 'unknown';
  try {
    const { path, apiVersion, query } = targetOf(request.url ?? '/');
    const refusal = refused.find(method, path);
    const found = refusal === undefined ? answered.find(method, path) : undefined;
    if (found === undefined) return await refuse(response, { method, refusal: refusal?.entry });
    endpoint = found.entry.route;
    const signal = AbortSignal.any([gone.signal, stopping]);
    const answer = await found.entry.answer({ ...state, apiVersion, query, signal, param: (name) => found.params.get(name)! });
    await send(response, answer);
  } catch (error) {
    if (response.headersSent) throw error;
    const kind = kindOf(error);
    if (kind === 'internal') state.log.warn('a request to the Docker API failed', { endpoint, error });
    await sendMessage(response, statuses[kind], messageOf(error));
  }
  return { endpoint, refused: false };
}

/** What would change something is forbidden, with a way to do it; anything else is not there. */
async function refuse(response: ServerResponse, { method, refusal }: { method: string; refusal: { route: string; command: string; instead: string } | undefined }): Promise<Outcome> {
  const asks = method === 'GET' || method === 'HEAD';
  if (refusal === undefined && asks) await sendMessage(response, 404, 'page not found');
  else await sendMessage(response, 403, refusalMessage(refusal ?? unknownChange));
  return { endpoint: refusal?.route ?? (asks ? 'unknown' : 'unknown change'), refused: refusal !== undefined || !asks };
}

async function send(response: ServerResponse, answer: Answer): Promise<void> {
  switch (answer.kind) {
    case 'json': return await sendWhole(response, { status: 200, type: 'application/json', body: `${jsonText(answer.document)}\n` });
    case 'text': return await sendWhole(response, { status: 200, type: 'text/plain; charset=utf-8', body: answer.text, ...(answer.headers && { headers: answer.headers }) });
    case 'stream': return await sendPieces(response, answer);
  }
}

async function sendMessage(response: ServerResponse, status: number, message: string): Promise<void> {
  await sendWhole(response, { status, type: 'application/json', body: `${JSON.stringify({ message })}\n` });
}
