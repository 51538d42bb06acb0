/** Clients that leave in each phase of a session: counted in objects, so that one thing kept of one of them is seen. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { spdyClient, spdyConnect } from '../spdy/spdy-client.fake.ts';
import type { SpdyClient } from '../spdy/spdy-client.fake.ts';
import { SpdyConnection } from '../spdy/spdy-connection.ts';
import { portProtocol } from './spdy/serve-ports.ts';
import { servedStreams, until, WsClient } from './served-streams.fake.ts';
import type { Served } from './served-streams.fake.ts';
import { Session } from './session.ts';
import type { AdmittedExec } from './tickets.ts';
import { openTunnel } from './websocket/tunnel-client.fake.ts';

const v4 = 'v4.channel.k8s.io';
const forward = { kind: 'portforward', podId: 'p', ports: [] } as const;
const terminal: Partial<AdmittedExec> = { tty: true, stderr: false };
const attached = { kind: 'attach', containerId: 'c', stdin: true, stdout: true, stderr: false, tty: true, container: { tty: true, stdin: true } } as const;
const anHour = ['sleep', '3600'];
/** What each of them leaves behind in one phase is seen: other things come and go by less. */
const waves = 6;

/** Leaves without a word. */
type Leave = () => unknown;
type Phase = (served: Served, port: number) => Promise<Leave>;

async function overSpdy(url: string, ...streams: string[]): Promise<{ client: SpdyClient; ids: number[] }> {
  const client = await spdyClient(url, url.includes('portforward') ? portProtocol : v4);
  const ids: number[] = [];
  for (const streamtype of streams) ids.push(await client.open({ streamtype, port: '1', requestid: '1' }));
  return { client, ids };
}

async function overWebSocket(url: string): Promise<WsClient> {
  const client = new WsClient(url, url.includes('portforward') ? v4 : 'v5.channel.k8s.io');
  await client.opened;
  return client;
}

async function forwarding(served: Served, port: number): Promise<SpdyClient> {
  const client = await spdyClient(await served.server.offer(forward), portProtocol);
  await client.open({ streamtype: 'error', port: String(port), requestid: '1' }, true);
  const data = await client.open({ streamtype: 'data', port: String(port), requestid: '1' });
  client.send(data, 'through and back');
  await until(() => client.frames.some((frame) => !frame.control && frame.stream === data));
  return client;
}

const phases: Readonly<Record<string, Phase>> = {
  'before it asks for anything': async ({ server }) => {
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    return () => socket.destroy();
  },
  'refused': async ({ exec }) => {
    await spdyConnect(await exec(anHour), ['v9.channel.k8s.io']);
    return () => {};
  },
  'before its streams': async ({ exec }) => {
    const { client } = await overSpdy(await exec(anHour));
    return () => client.socket.destroy();
  },
  'with some of its streams': async ({ exec }) => {
    const { client } = await overSpdy(await exec(anHour), 'error', 'stdin');
    return () => client.socket.destroy();
  },
  'while the command says nothing': async ({ exec }) => {
    const { client } = await overSpdy(await exec(anHour), 'error', 'stdin', 'stdout', 'stderr');
    return () => client.socket.destroy();
  },
  'while output waits for it': async ({ exec }) => {
    const { client } = await overSpdy(await exec(['yes']), 'error', 'stdin', 'stdout', 'stderr');
    await until(() => client.frames.some(({ control }) => !control));
    client.socket.pause();
    return () => client.socket.destroy();
  },
  'from a terminal': async ({ exec }) => {
    const { client, ids } = await overSpdy(await exec(anHour, terminal), 'error', 'stdin', 'stdout', 'resize');
    client.send(ids[3]!, '{"Width":80,"Height":24}');
    return () => client.socket.destroy();
  },
  'after the end': async ({ exec }) => {
    const { client, ids } = await overSpdy(await exec(['true']), 'error', 'stdin', 'stdout', 'stderr');
    await client.text(ids[0]!);
    return () => client.socket.destroy();
  },
  'attached': async ({ server }) => {
    const { client } = await overSpdy(await server.offer(attached), 'error', 'stdin', 'stdout', 'resize');
    return () => client.socket.destroy();
  },
  'with half a connection to a port': async ({ server }) => {
    const { client } = await overSpdy(await server.offer(forward), 'data');
    return () => client.socket.destroy();
  },
  'with a connection to a port': async (served, port) => {
    const client = await forwarding(served, port);
    return () => client.socket.destroy();
  },
  'with a connection to a port on which nobody listens': async ({ server }) => {
    const { client, ids } = await overSpdy(await server.offer(forward), 'error', 'data');
    await client.text(ids[0]!);
    return () => client.socket.destroy();
  },
  'over WebSocket, while the command says nothing': async ({ exec }) => {
    const { socket } = await overWebSocket(await exec(anHour));
    return () => socket.terminate();
  },
  'over WebSocket, while output waits for it': async ({ exec }) => {
    const client = await overWebSocket(await exec(['yes']));
    await until(() => client.of(1).length > 0);
    client.socket.pause();
    return () => client.socket.terminate();
  },
  'over WebSocket, from a terminal': async ({ exec }) => {
    const client = await overWebSocket(await exec(anHour, terminal));
    client.send(4, '{"Width":80,"Height":24}');
    return () => client.socket.terminate();
  },
  'over WebSocket, with a port': async ({ server }, port) => {
    const { socket } = await overWebSocket(await server.offer({ ...forward, ports: [port] }));
    return () => socket.terminate();
  },
  'in a tunnel': async ({ server }) => {
    const { bytes } = await openTunnel(await server.offer(forward), `SPDY/3.1+${portProtocol}`);
    return () => bytes.destroy();
  },
};

async function echoPort(t: TestContext): Promise<number> {
  const server = net.createServer((socket) => void socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}

/** What there is of what a session is made of. Counting objects collects garbage first, and takes half a second for each class. */
function things(): Readonly<Record<string, number>> {
  const classes = { Session, SpdyConnection, Socket: net.Socket };
  const counts: Record<string, number> = Object.fromEntries(Object.entries(classes).map(([name, one]) => [name, queryObjects(one, { format: 'count' })]));
  for (const resource of process.getActiveResourcesInfo()) counts[resource] = (counts[resource] ?? 0) + 1;
  return counts;
}

test('nothing is left of clients that leave, in whatever phase of a session', async (t) => {
  const served = await servedStreams(t);
  const port = await echoPort(t);
  const wave = async (): Promise<void> => {
    const leaving = await Promise.all(Object.values(phases).map((begin) => begin(served, port)));
    for (const leave of leaving) leave();
    await until(() => served.server.load.sessions === 0 && served.engine.going === 0);
  };
  await wave();
  const before = things();
  const more = () => Object.entries(things()).filter(([name, count]) => count >= (before[name] ?? 0) + waves);

  for (let n = 0; n < waves; n++) await wave();

  let left = more();
  for (let looks = 0; left.length > 0 && looks < 8; looks++) {
    await sleep(250);
    left = more();
  }
  assert.deepEqual(left, [], `where there were ${JSON.stringify(before)} before`);
  assert.deepEqual(served.server.load, { sessions: 0, tickets: 0 });
});
