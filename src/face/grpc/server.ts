import * as net from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { failure, isKind } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { AcceptedConnection } from './accepted-connection.ts';
import { InFlight } from './in-flight.ts';
import { listenAt } from './listen-at.ts';
import type { Service } from './service.ts';
import { surfaceOf } from './surface-of.ts';
import { UnfinishedRequests } from './unfinished-requests.ts';

export interface GrpcServerOptions {
  readonly socketPath: string;
  readonly services: readonly Service[];
  readonly log: Logger;
  /** The limit of a message either way; the kubelet's own is 16 MiB. */
  readonly maxMessageBytes: number;
}

export interface GrpcServer {
  /** Calls that are being answered right now. */
  readonly inFlight: number;
  /**
   * Takes the socket away and lets the calls in flight finish; those that `graceMs` did not suffice for are aborted (unavailable),
   * watches at once. Repeating it waits for the same end.
   */
  close(graceMs: number): Promise<void>;
}

/** Enough for a node of 500 containers asked for all at once; a caller with more of one call in the air is told to wait. */
const callsAMethod = 512;
/** Of the largest requests that there may be, how many are held at a time; usual ones have a few kilobytes. */
const largestRequests = 8;
const streamsAConnection = 1024;
/** The kubelet has two, and each command of a person one. */
const mostConnections = 512;
/** Of all connections: as many as four of them may have calls. */
const mostUnfinished = 4096;
/** How long aborted calls get to say so before their connections are cut. */
const lastWordsMs = 250;

/**
 * Serves all services on one unix socket (mode 0660). An occupied socket is already-exists, a path that can't be a socket
 * invalid-argument or failed-precondition.
 */
export async function serveGrpc({ socketPath, services, log, maxMessageBytes }: GrpcServerOptions): Promise<GrpcServer> {
  const inFlight = new InFlight({ callsAMethod, bytes: largestRequests * maxMessageBytes });
  const grpc = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': -1, // checked where the answer is encoded, with a better message
    'grpc.max_concurrent_streams': streamsAConnection,
    'grpc.enable_channelz': 0,
  });
  for (const service of services) {
    const { definition, implementation } = surfaceOf(service, { log, inFlight, maxMessageBytes });
    grpc.addService(definition, implementation);
  }

  const http2 = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const connections = new Set<AcceptedConnection>();
  const unfinished = new UnfinishedRequests({ requests: mostUnfinished, bytes: largestRequests * maxMessageBytes });
  const listener = net.createServer((socket) => {
    if (connections.size >= mostConnections) cutQuietest(connections);
    const connection = new AcceptedConnection(socket, unfinished);
    connections.add(connection);
    connection.on('error', (error) => {
      const level = isKind(error, 'resource-exhausted') ? 'warn' : 'debug';
      log[level]('connection ended', { error: error.message });
    });
    connection.on('close', () => connections.delete(connection));
    http2.injectConnection(connection);
  });
  const takeAway = await listenAt(listener, socketPath, 'listen for CRI');

  const close = async (graceMs: number): Promise<void> => {
    await takeAway();
    listener.close();
    const allClosed = new Promise<void>((resolve) => grpc.tryShutdown(() => resolve()));
    const finished = Promise.all([allClosed, inFlight.idle()]);
    const stopping = failure('unavailable', { act: 'answer', why: 'gantry is stopping; ask again when it is back' });
    inFlight.abortEndless(stopping);
    if (await within(graceMs, finished)) return;
    inFlight.abortAll(stopping);
    if (await within(lastWordsMs, finished)) return;
    grpc.forceShutdown();
    for (const connection of connections) connection.destroy();
  };
  let closing: Promise<void> | undefined;
  return {
    get inFlight() {
      return inFlight.count;
    },
    close: (graceMs) => closing ??= close(graceMs),
  };
}

/** The one whose client has said nothing for the longest time makes room: a flood of connections must not keep the kubelet out. */
function cutQuietest(connections: Set<AcceptedConnection>): void {
  const [quietest] = [...connections].sort((a, b) => a.lastHeard - b.lastHeard);
  if (quietest === undefined) return;
  connections.delete(quietest);
  quietest.destroy(failure('resource-exhausted', { act: 'keep connection', why: `there are ${mostConnections}, another one came, and nothing has been heard on this one for the longest time` }));
}

/** Whether the promise settled in time. */
async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
