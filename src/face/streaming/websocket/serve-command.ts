/** Exec and attach over WebSocket: remotecommand v1, v4 and v5, each stream of the command a channel. */
import type { WebSocket } from 'ws';
import { runCommand } from '../command-session.ts';
import type { CommandEnd } from '../command-status.ts';
import type { Session } from '../session.ts';
import type { AdmittedAttach, AdmittedExec } from '../tickets.ts';
import { Channels } from './channels.ts';

export const webSocketCommandProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'] as const;
export type WebSocketCommandProtocol = (typeof webSocketCommandProtocols)[number];

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const channelCount = 5;

/** Serves the session to its end, the client's part in it included. */
export async function serveWebSocketCommand(session: Session, admitted: AdmittedExec | AdmittedAttach, { socket, protocol }: { socket: WebSocket; protocol: WebSocketCommandProtocol }): Promise<CommandEnd> {
  const { stdin, stdout, stderr, tty } = admitted;
  const unread = new Set<number>([channel.stdout, channel.stderr, channel.error]);
  if (!stdin) unread.add(channel.stdin);
  if (!tty) unread.add(channel.resize);
  const channels = new Channels({
    socket, unread, count: channelCount,
    codec: protocol.includes('base64') ? 'base64' : 'binary',
    halfClose: protocol === 'v5.channel.k8s.io',
    onData: () => session.touch(),
  });
  const stopWatch = session.watch(() => channels.ping());
  void channels.closed.then((error) => {
    if (error !== undefined) session.ctx.log.info('the connection broke', { error: error.message });
    session.clientGone();
  });
  const of = (wanted: boolean, number: number) => (wanted ? channels.of(number) : undefined);

  try {
    // An empty message says that the session is on: clients wait for a first one before they send.
    channels.of(stdout ? channel.stdout : stderr ? channel.stderr : channel.error).write(Buffer.alloc(0));
    const end = await runCommand(session, admitted, {
      stdin: of(stdin, channel.stdin), stdout: of(stdout, channel.stdout), stderr: of(stderr, channel.stderr), resize: of(tty, channel.resize),
      error: channels.of(channel.error),
      statusForm: protocol.startsWith('v') ? 'object' : 'text',
    });
    await channels.finish();
    return end;
  } finally {
    stopWatch();
    channels.destroy();
  }
}
