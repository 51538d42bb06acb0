/** Port-forward over SPDY: a pair of streams, one for data and one for an error, for each connection that the client accepted. */
import type { Duplex } from 'node:stream';
import { joinPort } from '../port-session.ts';
import type { Session } from '../session.ts';
import { SpdyConnection } from '../../spdy/spdy-connection.ts';
import type { SpdyStream } from '../../spdy/spdy-connection.ts';

export const portProtocol = 'portforward.k8s.io';

interface HalfPair {
  readonly type: 'data' | 'error';
  readonly stream: SpdyStream;
  readonly timer: NodeJS.Timeout;
}

/** Serves all connections of one client until it leaves. */
export async function serveSpdyPorts(session: Session, podId: string, transport: Duplex): Promise<void> {
  const halves = new Map<string, HalfPair>();
  const joined = new Set<Promise<void>>();

  const onStream = (stream: SpdyStream): void => {
    const type = stream.headers.get('streamtype');
    const port = Number(stream.headers.get('port'));
    if ((type !== 'data' && type !== 'error') || !Number.isInteger(port) || port < 1 || port > 0xffff) {
      session.ctx.log.info('the client opened a stream that is no part of a forwarded connection', { streamType: type, port: stream.headers.get('port') });
      stream.destroy();
      return;
    }
    const request = requestOf(stream, type);
    const other = halves.get(request);
    if (other?.type === type) {
      stream.destroy();
      return;
    }
    if (other === undefined) {
      halves.set(request, { type, stream, timer: setTimeout(() => giveUp(request), session.creationMs) });
      return;
    }
    clearTimeout(other.timer);
    halves.delete(request);
    const [data, error] = type === 'data' ? [stream, other.stream] : [other.stream, stream];
    error.resume(); // the client ends its half at once
    const join = joinPort(session, podId, { port, data, error }).finally(() => joined.delete(join));
    joined.add(join);
  };
  const giveUp = (request: string): void => {
    const { type, stream } = halves.get(request)!;
    halves.delete(request);
    if (type === 'error') stream.end(session.failure('deadline-exceeded', 'the client opened no data stream for this connection').message);
    else stream.destroy();
  };

  const connection = new SpdyConnection({ transport, onStream, onData: () => session.touch() });
  const stopWatch = session.watch(() => connection.ping());
  void connection.closed.then(() => session.clientGone());
  session.ctx.signal.addEventListener('abort', () => void connection.finish());
  try {
    const error = await connection.closed;
    if (error !== undefined) session.ctx.log.info('the connection broke', { error: error.message });
    await Promise.all(joined);
  } finally {
    stopWatch();
    for (const { timer } of halves.values()) clearTimeout(timer);
  }
}

/** Old clients don't number their connections, but open a connection's error stream and then its data stream. */
function requestOf(stream: SpdyStream, type: 'data' | 'error'): string {
  return stream.headers.get('requestid') ?? `stream ${type === 'error' ? stream.id : stream.id - 2}`;
}
