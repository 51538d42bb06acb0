import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
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

test('a program that does not take its connections is said so once the time is up, though nobody listens on IPv6', async (t) => {
  const listen = "require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port); })";
  const child = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  const port = Number(String((await once(child.stdout, 'data'))[0]));
  child.kill('SIGSTOP');
  const waiting = Array.from({ length: 4 }, () => connect({ port, host: '127.0.0.1' }).on('error', () => {}));
  t.after(() => waiting.forEach((socket) => socket.destroy()));
  await once(waiting[0]!, 'connect');

  await assert.rejects(connectToLoopback({ ...here, port, deadlineMs: 300 }), { kind: 'deadline-exceeded', message: `connect to 127.0.0.1:${port}: no answer within 0.3 s` });
});
