/** One forwarded connection, whatever protocol carries it. */
import type { Duplex, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../base/errors.ts';
import type { Session } from './session.ts';

/** The two streams that a client has for each connection. */
export interface PortWire {
  readonly port: number;
  readonly data: Duplex;
  readonly error: Writable;
}

/**
 * How long the client may go on sending once the program has ended its direction. Clients wait for the end of the error stream before they close
 * their own connection, so that one has to come first.
 */
const lastWordsMs = 1000;

/**
 * Joins a client's stream to a port of the pod until the program ended or either side is gone; what the client ends is ended for the program alone. A port that can't be reached is told on the
 * error stream and ends this connection alone. A program that resets or closes its connection is nothing to tell: a client
 * that gets a message there gives up all its connections. Never rejects.
 */
export async function joinPort(session: Session, podId: string, { port, data, error }: PortWire): Promise<void> {
  let target: Duplex;
  try {
    target = await session.engine.portForward(podId, port, session.ctx);
  } catch (failed) {
    session.ctx.log.info('port not forwarded', { port, error: messageOf(failed) });
    error.end(messageOf(failed));
    data.resume().end();
    return;
  }
  if (data.destroyed) {
    target.destroy();
    return;
  }
  data.pipe(target);
  target.pipe(data);
  data.once('close', () => target.destroy());
  await finished(target, { writable: false }).catch(() => {});
  if (!data.writableEnded) data.end();
  await finished(data, { readable: false }).catch(() => {});
  error.end();
  await Promise.race([finished(target).catch(() => {}), sleep(lastWordsMs, undefined, { ref: false })]);
  target.destroy();
  data.resume(); // what the client still sends goes nowhere, and holds up nobody
}
