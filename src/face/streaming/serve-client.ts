/** One client that came with a valid ticket: agrees on a protocol, and serves it to its end. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { messageOf } from '../../base/errors.ts';
import type { CommandEnd } from './command-status.ts';
import { negotiate, tunnelProtocol } from './negotiate.ts';
import type { Agreed, Refusal } from './negotiate.ts';
import { Session } from './session.ts';
import type { SessionDeps } from './session.ts';
import { serveSpdyCommand } from './spdy/serve-command.ts';
import { portProtocol, serveSpdyPorts } from './spdy/serve-ports.ts';
import type { Admitted, AdmittedAttach, AdmittedExec, AdmittedPortForward } from './tickets.ts';
import { serveWebSocketCommand } from './websocket/serve-command.ts';
import { serveWebSocketPorts } from './websocket/serve-ports.ts';

export interface ClientRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client sent behind its request. */
  readonly head: Buffer;
  readonly admitted: Admitted;
}

export interface Client {
  readonly session: Session;
  /** Resolves when nothing of the session is left. */
  readonly done: Promise<void>;
  destroy(): void;
}

interface ClientDeps extends SessionDeps {
  refuse(socket: Duplex, refusal: Refusal): void;
}

const acts = { exec: 'exec in container', attach: 'attach to container', portforward: 'forward ports of pod' } as const;
/** How long a client may take to read why its session was ended. */
const newsMs = 10_000;
/** Browsers and old clients send what they have as one message. */
const longestMessage = 16 << 20;
/** RFC 6455, section 7.4.1. */
const policyViolation = 1008;

export function serveClient(client: ClientRequest, deps: ClientDeps): Client {
  const { admitted, socket } = client;
  const object = admitted.kind === 'portforward' ? admitted.podId : admitted.containerId;
  const session = new Session({ id: `stream-${randomBytes(4).toString('hex')}`, act: acts[admitted.kind], object }, deps);
  session.ctx.signal.addEventListener('abort', () => {
    const timer = setTimeout(() => socket.destroy(), newsMs);
    socket.once('close', () => clearTimeout(timer));
    if (socket.closed) clearTimeout(timer);
  });
  return { session, done: serveToItsEnd(session, client, deps), destroy: () => void socket.destroy() };
}

async function serveToItsEnd(session: Session, client: ClientRequest, { refuse }: ClientDeps): Promise<void> {
  const { log, stages } = session.ctx;
  const agreed = negotiate(client.request, client.admitted.kind);
  if ('status' in agreed) {
    log.info('session refused', { error: agreed.why });
    refuse(client.socket, agreed);
    return;
  }
  const fields = { ...agreed };
  try {
    const end = await serveAgreed(session, client, agreed);
    const ms = Math.round(stages.elapsedMs);
    if (end === undefined) log.info('session ended', { ...fields, ms });
    else if ('error' in end) log.info('session ended', { ...fields, ms, error: messageOf(end.error) });
    else log.info('session ended', { ...fields, ms, exitCode: end.exitCode });
  } catch (error) {
    log.info('session ended', { ...fields, ms: Math.round(stages.elapsedMs), error: messageOf(error) });
    client.socket.destroy();
  }
}

async function serveAgreed(session: Session, client: ClientRequest, agreed: Agreed): Promise<CommandEnd | undefined> {
  if (agreed.by === 'spdy') {
    const transport = switchToSpdy(client, 'command' in agreed ? agreed.command : portProtocol);
    if ('command' in agreed) return serveSpdyCommand(session, client.admitted as AdmittedExec | AdmittedAttach, { transport, protocol: agreed.command });
    await serveSpdyPorts(session, (client.admitted as AdmittedPortForward).podId, transport);
    return undefined;
  }
  if (agreed.by === 'websocket' && 'command' in agreed) {
    const socket = await switchToWebSocket(client, agreed.command);
    return serveWebSocketCommand(session, client.admitted as AdmittedExec | AdmittedAttach, { socket, protocol: agreed.command });
  }
  const { podId, ports: named } = client.admitted as AdmittedPortForward;
  if (agreed.by === 'tunnel') {
    await serveSpdyPorts(session, podId, createWebSocketStream(await switchToWebSocket(client, tunnelProtocol)));
    return undefined;
  }
  const ports = named.length > 0 ? named : portsInQuery(client.request.url ?? '');
  const socket = await switchToWebSocket(client, agreed.ports);
  if (ports.length > 0) await serveWebSocketPorts(session, podId, { socket, protocol: agreed.ports, ports });
  else socket.close(policyViolation, 'no port is named, neither in the request nor as ?port=');
  return undefined;
}

function switchToSpdy({ socket, head }: ClientRequest, protocol: string): Duplex {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/**
 * The protocol is ours to agree on: the library takes the tunnel's name, with its slash, for none. What else it refuses (a wrong version
 * or key), it answers itself.
 */
function switchToWebSocket({ request, socket, head }: ClientRequest, protocol: string): Promise<WebSocket> {
  const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: longestMessage });
  if (request.headers['sec-websocket-protocol'] !== undefined) {
    delete request.headers['sec-websocket-protocol'];
    server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  }
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the client went away')));
    server.once('wsClientError', (error: Error) => reject(error));
    server.handleUpgrade(request, socket, head, resolve);
  });
}

/** Named again and again, or with commas between them. */
function portsInQuery(url: string): number[] {
  const named = new URLSearchParams(url.slice(url.indexOf('?') + 1)).getAll('port').flatMap((list) => list.split(',')).map(Number);
  return named.every((port) => Number.isInteger(port) && port > 0 && port <= 0xffff) ? named : [];
}
