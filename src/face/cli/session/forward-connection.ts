/** One forwarded connection: a session of its own, so that one that nobody reads holds up no other. */
import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { connectSpdy } from '../../spdy/connect-spdy.ts';
import { textOf } from './text-of.ts';

export interface ForwardedConnection {
  readonly url: string;
  readonly port: number;
  /** For messages. */
  readonly act: string;
  readonly object: string;
  readonly signal: AbortSignal;
}

/**
 * Joins a local connection to a port of the pod until both ways have ended or either side is gone; each way ends on its own. Resolves with what the runtime
 * has to complain of, '' for nothing. Runtime not reached: as connectSpdy. The local connection is closed after.
 */
export async function forwardConnection(local: Socket, { port, ...request }: ForwardedConnection): Promise<string> {
  try {
    const connection = await connectSpdy({ ...request, protocol: 'portforward.k8s.io' });
    try {
      local.once('close', () => connection.destroy());
      const headers = { port: String(port), requestid: '0' };
      const open = (streamtype: string) => connection.open(new Map(Object.entries({ streamtype, ...headers })));
      const error = await open('error');
      error.end();
      const data = await open('data');
      local.pipe(data);
      data.pipe(local);
      const complaint = await textOf(error);
      if (complaint === '') await finished(local, { readable: false }).catch(() => {});
      return complaint;
    } finally {
      connection.destroy();
    }
  } finally {
    local.destroy();
  }
}
