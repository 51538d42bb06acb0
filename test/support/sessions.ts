/** What tests of sessions do as clients, whatever runs the container. */
import assert from 'node:assert/strict';
import type { SpdyClient } from '../../src/face/spdy/spdy-client.fake.ts';
import { WsClient } from '../../src/face/streaming/served-streams.fake.ts';
import { eventually } from './workload.ts';

/** Attaches to a container that answers each line with `got` and the line. */
export async function assertAnswersLines(url: string): Promise<void> {
  const ws = new WsClient(url, 'v5.channel.k8s.io');
  await ws.opened;
  await eventually(() => {
    ws.send(0, 'a line\n');
    assert.match(ws.of(1).toString(), /got a line\n/);
  });
  ws.socket.close();
}

/** The two streams of one forwarded connection. */
export async function openForwarded(spdy: SpdyClient, port: number, request: number): Promise<{ readonly error: number; readonly data: number }> {
  const headers = { port: String(port), requestid: String(request) };
  return { error: await spdy.open({ streamtype: 'error', ...headers }, true), data: await spdy.open({ streamtype: 'data', ...headers }) };
}
