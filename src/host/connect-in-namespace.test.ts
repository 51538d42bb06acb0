import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { connectToLoopback } from './connect-in-namespace.ts';

const here = { namespace: undefined, deadlineMs: 5000, signal: new AbortController().signal };

test('a connection begins with a descriptor of ours, and each of its ways ends on its own', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const socket = await connectToLoopback({ ...here, port: (server.address() as AddressInfo).port });
  socket.end('hello');

  assert.equal(await text(socket), 'hello');
  server.close();
});

test('nobody listening is said at once, and so is that the caller went away', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();

  await assert.rejects(connectToLoopback({ ...here, port }), { code: 'ECONNREFUSED' });
  await assert.rejects(connectToLoopback({ ...here, port, signal: AbortSignal.abort() }), { kind: 'cancelled', message: `connect to 127.0.0.1:${port}: the caller went away` });
});
