/** Exec and attach over SPDY: remotecommand v1 to v4, each stream of the command a stream of the connection. */
import type { Duplex } from 'node:stream';
import { runCommand } from '../command-session.ts';
import type { CommandEnd } from '../command-status.ts';
import { inCreationTime } from '../session.ts';
import type { Session } from '../session.ts';
import type { AdmittedAttach, AdmittedExec, WantedStreams } from '../tickets.ts';
import { SpdyConnection } from '../../spdy/spdy-connection.ts';
import type { SpdyStream } from '../../spdy/spdy-connection.ts';

/** Best first. v1 has no name of its own in old clients, which ask for none. */
export const commandProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const;
export type CommandProtocol = (typeof commandProtocols)[number];

/** Serves the session to its end, the client's part in it included. */
export async function serveSpdyCommand(session: Session, admitted: AdmittedExec | AdmittedAttach, { transport, protocol }: { transport: Duplex; protocol: CommandProtocol }): Promise<CommandEnd> {
  const expected = expectedStreams(admitted, protocol);
  const opened = new Map<string, SpdyStream>();
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const connection = new SpdyConnection({
    transport,
    onData: () => session.touch(),
    onStream(stream) {
      const type = stream.headers.get('streamtype') ?? '';
      if (!expected.has(type) || opened.has(type)) {
        session.ctx.log.info('the client opened a stream that nobody waits for', { streamType: type });
        stream.destroy();
        return;
      }
      opened.set(type, stream);
      if (opened.size === expected.size) resolve();
    },
  });
  const stopWatch = session.watch(() => connection.ping());
  void connection.closed.then((error) => {
    if (error !== undefined) session.ctx.log.info('the connection broke', { error: error.message });
    session.clientGone();
    reject(session.ctx.signal.reason);
  });
  session.ctx.signal.addEventListener('abort', () => reject(session.ctx.signal.reason));

  try {
    await inCreationTime(session, complete);
    const error = opened.get('error')!;
    const end = await runCommand(session, admitted, {
      stdin: opened.get('stdin'), stdout: opened.get('stdout'), stderr: opened.get('stderr'), resize: opened.get('resize'), error,
      statusForm: protocol === 'v4.channel.k8s.io' ? 'object' : 'text',
    });
    await connection.finish();
    return end;
  } finally {
    stopWatch();
    connection.destroy();
  }
}

function expectedStreams({ stdin, stdout, stderr, tty }: WantedStreams, protocol: CommandProtocol): ReadonlySet<string> {
  const resizes = tty && (protocol === 'v4.channel.k8s.io' || protocol === 'v3.channel.k8s.io');
  return new Set(Object.entries({ error: true, stdin, stdout, stderr, resize: resizes }).flatMap(([type, wanted]) => (wanted ? [type] : [])));
}
