/** Port-forward over WebSocket channels: one connection for each port, its data on channel 2n and its error on 2n + 1. */
import type { WebSocket } from 'ws';
import { joinPort } from '../port-session.ts';
import type { Session } from '../session.ts';
import { Channels } from './channels.ts';

export const webSocketPortProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const;
export type WebSocketPortProtocol = (typeof webSocketPortProtocols)[number];

/** Serves all ports until each connection ended or the client left. */
export async function serveWebSocketPorts(session: Session, podId: string, { socket, protocol, ports }: { socket: WebSocket; protocol: WebSocketPortProtocol; ports: readonly number[] }): Promise<void> {
  const channels = new Channels({
    socket, count: 2 * ports.length, halfClose: false,
    unread: new Set(ports.map((_, i) => 2 * i + 1)),
    codec: protocol === 'v4.base64.channel.k8s.io' ? 'base64' : 'binary',
    onData: () => session.touch(),
  });
  const stopWatch = session.watch(() => channels.ping());
  void channels.closed.then(() => session.clientGone());
  session.ctx.signal.addEventListener('abort', () => void channels.finish());
  try {
    await Promise.all(ports.map((port, i) => {
      const [data, error] = [channels.of(2 * i), channels.of(2 * i + 1)];
      for (const stream of [data, error]) stream.write(portBytes(port));
      return joinPort(session, podId, { port, data, error });
    }));
    await channels.finish();
  } finally {
    stopWatch();
    channels.destroy();
  }
}

/** Each channel begins with the port that it is for, in little endian. */
function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(port);
  return bytes;
}
