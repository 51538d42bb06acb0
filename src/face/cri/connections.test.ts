/** Connections as old, odd and hostile clients open them, against the whole server. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import type { ContainerEngine } from '../../engine/engine.ts';
import { maxHeaderBlockBytes } from '../grpc/header-frames.ts';
import { serveGrpc } from '../grpc/server.ts';
import type { GrpcServer } from '../grpc/server.ts';
import { criClient } from './cri-client.fake.ts';
import { criServices } from './cri-services.ts';
import { fakeEngine, noSessions } from './engine.fake.ts';
import { http2Frame } from '../grpc/http2-frame.fake.ts';

async function served(t: TestContext, engine = fakeEngine().engine): Promise<{ socketPath: string; server: GrpcServer }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'accepted-connection-'));
  const socketPath = path.join(folder, 'cri.sock');
  const maxMessageBytes = 16 << 20;
  const server = await serveGrpc({ socketPath, services: criServices({ engine, sessions: noSessions, runtimeVersion: '1.2.3', maxMessageBytes }), log: silentLogger, maxMessageBytes });
  t.after(async () => {
    await server.close(100);
    await fs.rm(folder, { recursive: true });
  });
  return { socketPath, server };
}

async function answers(t: TestContext, socketPath: string, options = {}): Promise<void> {
  const client = criClient(socketPath, 'v1', options);
  t.after(() => client.close());
  assert.equal((await client.call('version', { version: '' }, { deadline: Date.now() + 5000 })).runtimeName, 'gantry');
}

const emptyMessage = Buffer.alloc(5); // what gRPC puts in front of a message: not compressed, no bytes

const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), http2Frame(4, 0, 0, Buffer.alloc(0))]);

test('a grpc client that names the socket path as authority is answered', async (t) => {
  const { socketPath } = await served(t);

  await answers(t, socketPath, { 'grpc.default_authority': socketPath });
});

test('so is one whose HPACK encoder compresses, indexes and repeats it', async (t) => {
  const { socketPath } = await served(t);
  const session = http2.connect('http://localhost', { createConnection: () => net.connect(socketPath) });
  t.after(() => session.destroy());

  for (let i = 0; i < 300; i++) {
    const request = session.request({
      ':method': 'POST', ':path': '/runtime.v1.RuntimeService/Version', ':authority': socketPath, 'content-type': 'application/grpc', 'te': 'trailers',
      // new each time: they push :authority out of the table, and the encoder sends it as a literal again
      'grpc-timeout': `${10_000 + i}m`, 'x-filler': `${i}`.repeat(30),
    });
    request.end(emptyMessage);
    const body = Buffer.concat(await request.toArray() as Buffer[]);
    assert.match(body.toString('latin1'), /gantry/);
  }
});

test('so is one that spells the name out and splits the block over CONTINUATION frames', async (t) => {
  const { socketPath } = await served(t);
  const sized = (text: string): string => String.fromCharCode(text.length) + text;
  const literal = (name: string, value: string): Buffer => Buffer.from(`\0${sized(name)}${sized(value)}`);
  const block = Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    literal(':path', '/runtime.v1alpha2.RuntimeService/Version'), literal(':authority', '/run/gantry/cri.sock'),
    literal('content-type', 'application/grpc'), literal('te', 'trailers'),
  ]);
  const socket = net.connect(socketPath);
  t.after(() => socket.destroy());

  socket.write(preface);
  socket.write(http2Frame(1, 0, 1, block.subarray(0, 60)));
  socket.write(http2Frame(9, 0, 1, block.subarray(60, 61)));
  socket.write(http2Frame(9, 4, 1, block.subarray(61)));
  socket.write(http2Frame(0, 1, 1, emptyMessage));

  let heard = '';
  for await (const chunk of socket) {
    heard += (chunk as Buffer).toString('latin1');
    if (heard.includes('v1alpha2')) return;
  }
  assert.fail(`closed after ${JSON.stringify(heard)}`);
});

test('a connection that sends headers without end is cut off, the others are not', async (t) => {
  const { socketPath } = await served(t);
  const socket = net.connect(socketPath);
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.on('close', resolve));

  socket.write(Buffer.concat([preface, http2Frame(1, 0, 1, Buffer.alloc(16_384))]));
  for (let sent = 0; sent <= maxHeaderBlockBytes; sent += 16_384) socket.write(http2Frame(9, 0, 1, Buffer.alloc(16_384)));
  socket.resume();

  await closed;
  await answers(t, socketPath);
});

test('connections that talk nonsense, break off or hang up at once leave the server answering', async (t) => {
  const { socketPath } = await served(t);
  const openFiles = async (): Promise<number> => (await fs.readdir('/proc/self/fd')).length;
  await answers(t, socketPath);
  const before = await openFiles();
  const brokenHeaders = Buffer.concat([preface, http2Frame(1, 4, 1, Buffer.from([0x41, 0xff, 0xff, 0xff, 0xff, 0xff]))]);

  await Promise.all(Array.from({ length: 150 }, (_, i) => new Promise<void>((resolve) => {
    const socket = net.connect(socketPath, () => {
      if (i % 3 === 0) socket.destroy();
      else socket.end(i % 3 === 1 ? 'GET / HTTP/1.1\r\n\r\n' : brokenHeaders);
    });
    socket.on('error', () => {}).on('close', () => resolve()).resume();
  })));

  await answers(t, socketPath);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(await openFiles() <= before + 5, `${before} open files before, ${await openFiles()} after`);
});

test('GHSA-m425-mq94-257g: thousands of calls that are reset at once leave the server answering', async (t) => {
  const waiting: ContainerEngine['execSync'] = (_id, _command, _timeout, { signal }) => new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  const { socketPath, server } = await served(t, fakeEngine({ containers: { execSync: waiting } }).engine);
  const request = { ':method': 'POST', ':path': '/runtime.v1.RuntimeService/ExecSync', 'content-type': 'application/grpc', 'te': 'trailers' };
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 6]), Buffer.from([0x0a, 1, 0x63, 0x12, 1, 0x78])]); // container c, command x

  for (let connection = 0; connection < 5; connection++) {
    const session = http2.connect('http://localhost', { createConnection: () => net.connect(socketPath) });
    session.on('error', () => {});
    for (let i = 0; i < 2000 && !session.destroyed; i++) {
      const stream = session.request(request);
      stream.on('error', () => {});
      stream.end(body);
      stream.close(http2.constants.NGHTTP2_CANCEL);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await answers(t, socketPath);
    session.destroy();
  }

  for (let i = 0; i < 200 && server.inFlight > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(server.inFlight, 0);
});
