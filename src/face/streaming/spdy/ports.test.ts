/** Port-forward over SPDY, plain and inside WebSocket, to servers of this machine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { servedStreams, until } from '../served-streams.fake.ts';
import { openTunnel } from '../websocket/tunnel-client.fake.ts';
import { SpdyClient, spdyClient, types } from '../../spdy/spdy-client.fake.ts';

async function listening(t: TestContext, handle: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}

const echo = (socket: net.Socket): void => void socket.pipe(socket);

/** As kubectl does it: the error stream first, ended at once. */
async function connection(client: SpdyClient, port: number, request?: number): Promise<{ data: number; error: number }> {
  const headers = { port: String(port), ...(request === undefined ? {} : { requestid: String(request) }) };
  const error = await client.open({ streamtype: 'error', ...headers }, true);
  return { error, data: await client.open({ streamtype: 'data', ...headers }) };
}

const forward = { kind: 'portforward', podId: 'p', ports: [] } as const;

test('many connections to several ports go over one, each with its own ends', async (t) => {
  const { server, engine } = await servedStreams(t);
  const [one, other] = [await listening(t, echo), await listening(t, (socket) => void socket.on('data', () => {}).on('end', () => socket.end('bye')))];
  const client = await spdyClient(await server.offer(forward), 'portforward.k8s.io');
  assert.equal(client.protocol, 'portforward.k8s.io');

  const made = await Promise.all(Array.from({ length: 50 }, (_, i) => connection(client, i % 2 === 0 ? one : other, i)));
  made.forEach(({ data }, i) => client.send(data, `message ${i}`, true));

  for (const [i, { data, error }] of made.entries()) {
    assert.equal(await client.text(data), i % 2 === 0 ? `message ${i}` : 'bye');
    assert.equal(await client.text(error), '');
  }
  await until(() => engine.going === 0);
  assert.equal(server.load.sessions, 1, 'more may follow');
  await client.end();
  await until(() => server.load.sessions === 0);
});

test('a port that nobody listens on is told on its own error stream, and the others go on', async (t) => {
  const { server } = await servedStreams(t);
  const port = await listening(t, echo);
  const free = await listening(t, echo);
  const gone = await new Promise<number>((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as net.AddressInfo;
      probe.close(() => resolve(port));
    });
  });
  const client = await spdyClient(await server.offer(forward), 'portforward.k8s.io');

  const before = await connection(client, port, 1);
  const refused = await connection(client, gone, 2);
  assert.equal(await client.text(refused.error), `connect to port ${gone} of pod p: nobody listens there`);
  assert.equal(await client.text(refused.data), '', 'its data ends too');
  client.send(before.data, 'still here', true);
  const after = await connection(client, free, 3);
  client.send(after.data, 'and new', true);

  assert.equal(await client.text(before.data), 'still here');
  assert.equal(await client.text(after.data), 'and new');
  await client.end();
});

test('a program that resets or closes its connection ends that one, without a word', async (t) => {
  const { server } = await servedStreams(t);
  const resetting = await listening(t, (socket) => void socket.once('data', () => socket.resetAndDestroy()));
  const closing = await listening(t, (socket) => void socket.end('all I say'));
  const client = await spdyClient(await server.offer(forward), 'portforward.k8s.io');

  const reset = await connection(client, resetting, 1);
  client.send(reset.data, 'hello');
  const closed = await connection(client, closing, 2);

  assert.deepEqual([await client.text(reset.data), await client.text(reset.error)], ['', '']);
  assert.deepEqual([await client.text(closed.data), await client.text(closed.error)], ['all I say', ''], 'before the client closed its side');
  client.send(closed.data, 'too late', true);
  const again = await connection(client, closing, 3);
  assert.equal(await client.text(again.data), 'all I say');
  await client.end();
});

test('a client that resets a stream, or goes away, takes its connections to the pod with it', async (t) => {
  const { server, engine } = await servedStreams(t);
  const port = await listening(t, echo);
  const client = await spdyClient(await server.offer(forward), 'portforward.k8s.io');

  const [one] = [await connection(client, port, 1), await connection(client, port, 2)];
  await until(() => engine.going === 2);
  client.socket.write(Buffer.from([0x80, 3, 0, types.rst, 0, 0, 0, 8, 0, 0, 0, one.data, 0, 0, 0, 5]));
  await until(() => engine.going === 1);
  await client.end();

  await until(() => engine.going === 0 && server.load.sessions === 0);
});

test('a client that numbers nothing is understood, and one that opens half a connection is told', async (t) => {
  const { server } = await servedStreams(t, { creationMs: 1000 });
  const port = await listening(t, echo);
  const client = await spdyClient(await server.offer(forward), 'portforward.k8s.io');

  const { data } = await connection(client, port);
  client.send(data, 'old', true);
  assert.equal(await client.text(data), 'old');
  const half = await client.open({ streamtype: 'error', port: String(port), requestid: '9' });
  assert.equal(await client.text(half), 'forward ports of pod p: the client opened no data stream for this connection');
  await client.end();
});

test('streams for no port or of no kind are reset', async (t) => {
  const { server } = await servedStreams(t);
  const client = await spdyClient(await server.offer(forward), 'portforward.k8s.io');

  for (const headers of [{ streamtype: 'data' }, { streamtype: 'data', port: '0' }, { streamtype: 'data', port: '65536' }, { streamtype: 'data', port: 'http' }, { streamtype: 'stdin', port: '80' }, {}]) {
    const stream = await client.open(headers as Record<string, string>);
    await client.control(types.rst, stream);
  }
  await client.end();
});

test('the same goes through WebSocket messages', async (t) => {
  const { server } = await servedStreams(t);
  const port = await listening(t, echo);
  const tunnel = await openTunnel(await server.offer(forward), 'SPDY/3.1+portforward.k8s.io');
  assert.equal(tunnel.protocol, 'SPDY/3.1+portforward.k8s.io');
  const client = new SpdyClient(tunnel.bytes, Buffer.alloc(0));
  const pattern = Buffer.alloc(3_000_000, 'abcdefg');

  const { data, error } = await connection(client, port, 1);
  for (let at = 0; at < pattern.length; at += 50_000) client.send(data, pattern.subarray(at, at + 50_000), at + 50_000 >= pattern.length);

  assert.ok((await client.all(data)).equals(pattern));
  assert.equal(await client.text(error), '');
  await client.end();
  await until(() => server.load.sessions === 0);
});
