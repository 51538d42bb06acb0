/** Who is let in, what becomes of those who misbehave, TLS, and that nothing is left of ten thousand clients. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { silentLogger } from '../../base/log.ts';
import { localPrograms } from './local-programs.fake.ts';
import { servedStreams, until, WsClient } from './served-streams.fake.ts';
import { controlFrame, dataFrame, headerBlock, SpdyClient, spdyClient, spdyConnect, types, words } from '../spdy/spdy-client.fake.ts';
import { serveStreams } from './stream-server.ts';

const v4 = 'v4.channel.k8s.io';
const noSession = 'no session waits at this address: each can be used once, within a minute\n';

test('a URL is good once, for what it was given, and no guess is', async (t) => {
  const { exec, server } = await servedStreams(t);
  const url = await exec(['true']);

  assert.deepEqual(await spdyConnect(url.replace('/exec/', '/attach/'), [v4]), { status: 404, text: noSession });
  assert.deepEqual(await spdyConnect(`${server.url}exec/AAAAAAAAAAAAAAAAAAAAAA`, [v4]), { status: 404, text: noSession });
  assert.deepEqual(await spdyConnect(`${server.url}..%2f/${'x'.repeat(5000)}`, [v4]), { status: 404, text: noSession });
  const client = await spdyClient(url, v4);
  assert.deepEqual(await spdyConnect(url, [v4]), { status: 404, text: noSession });
  await client.end();
  await assert.rejects(new WsClient(url).opened, /404/);
});

test('a request that does not upgrade is told what it takes, and the URL stays good', async (t) => {
  const { exec, server } = await servedStreams(t);
  const url = await exec(['true']);

  const plain = await fetch(url);
  assert.deepEqual([plain.status, await plain.text()], [426, 'a session needs an upgrade to SPDY/3.1 or websocket\n']);
  assert.equal((await fetch(server.url)).status, 404);
  await (await spdyClient(url, v4)).end();
});

test('protocols that nobody speaks are refused in HTTP', async (t) => {
  const { exec, server } = await servedStreams(t);

  const refused = await spdyConnect(await exec(['true']), ['v9.channel.k8s.io']) as { status: number; text: string };
  assert.equal(refused.status, 403);
  assert.match(refused.text, /^none of the protocols v9\.channel\.k8s\.io is spoken here, only v4\.channel\.k8s\.io/);
  await assert.rejects(new WsClient(await exec(['true']), 'v9.channel.k8s.io').opened, /403/);
  assert.equal((await spdyConnect(await exec(['true']), [v4], { headers: { Upgrade: 'h2c' } }) as { status: number }).status, 400);
  await until(() => server.load.sessions === 0);
});

test('more sessions than there may be are refused, until one ends', async (t) => {
  const { exec, server } = await servedStreams(t, { maxSessions: 2 });
  const client = await spdyClient(await exec(['true']), v4);
  await exec(['true']);

  const why = '1 go on and 1 are about to, which is all that streaming.max_sessions allows; end some or try again in a minute';
  await assert.rejects(exec(['true']), { kind: 'resource-exhausted', message: `open stream session: ${why}` });
  await client.end();
  await until(() => server.load.sessions === 0);
  await exec(['true']);
});

const syn = (id: number, rest: Buffer = Buffer.alloc(0)): Buffer => controlFrame(types.synStream, 0, Buffer.concat([words(id, 0), Buffer.from([0, 0]), rest]));

const misbehaviour: readonly (readonly [string, Buffer, RegExp])[] = [
  ['a frame of another version', controlFrame(types.ping, 0, words(1), 2), /version 2, where SPDY\/3\.1 has 3/],
  ['an unknown control frame', controlFrame(11, 0, words(1)), /no control frame of type 11/],
  ['headers that are not compressed', syn(1, headerBlock({ streamtype: 'error' })), /not compressed by zlib/],
  ['a control frame without end', controlFrame(types.headers, 0, Buffer.alloc(20_000)), /control frame of 20000 bytes/],
];

test('malformed frames end their session with a goodbye and a line in the log, and no other session', async (t) => {
  const { exec, server, log } = await servedStreams(t);
  const good = await spdyClient(await exec(['true']), v4);

  for (const [what, bytes, message] of misbehaviour) {
    const client = await spdyClient(await exec(['true']), v4);
    client.socket.write(bytes);
    assert.equal((await client.control(types.goaway)).body.readUInt32BE(4), 1, what);
    await client.until(() => client.closed);
    await until(() => server.load.sessions === 1);
    assert.ok(log.some(({ message: line, error }) => line === 'the connection broke' && message.test(String(error))), what);
  }
  const [error] = [await good.open({ streamtype: 'error' }), await good.open({ streamtype: 'stdin' }), await good.open({ streamtype: 'stdout' }), await good.open({ streamtype: 'stderr' })];
  assert.match(await good.text(error), /Success/);
});

test('streams out of order end the session; unknown, unexpected and second ones are reset', async (t) => {
  const { exec, server } = await servedStreams(t);

  const client = await spdyClient(await exec(['true']), v4);
  await client.open({ streamtype: 'error' });
  const twice = await client.open({ streamtype: 'error' });
  const unexpected = await client.open({ streamtype: 'resize' });
  client.socket.write(Buffer.concat([dataFrame(99, Buffer.from('for nobody')), dataFrame(2, Buffer.from('x')), controlFrame(types.rst, 0, words(77, 1)), controlFrame(types.ping, 0, words(5)), controlFrame(types.ping, 0, words(6))]));
  assert.equal((await client.control(types.rst, twice)).body.readUInt32BE(4), 5);
  assert.equal((await client.control(types.rst, unexpected)).body.readUInt32BE(4), 5);
  assert.equal((await client.control(types.rst, 99)).body.readUInt32BE(4), 2, 'a stream that there never was');
  assert.equal((await client.control(types.ping)).body.readUInt32BE(0), 5, 'answered');
  assert.deepEqual(client.frames.filter(({ type }) => type === types.ping).length, 1, 'even ones are answers');

  for (const id of [1, 4]) {
    const other = id === 1 ? client : await spdyClient(await exec(['true']), v4);
    other.socket.write(id === 1 ? Buffer.concat([syn(id, Buffer.from([0, 0, 0, 255, 255]))]) : syn(id));
    assert.equal((await other.control(types.goaway)).body.readUInt32BE(4), 1);
  }
  await until(() => server.load.sessions === 0);
});

test('a connection that asks nothing, or never ends its headers, is not kept', async (t) => {
  const { server } = await servedStreams(t);

  const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(`GET /exec/x HTTP/1.1\r\nX: ${'y'.repeat(40_000)}`);
  const [answer] = await once(socket, 'data') as [Buffer];

  assert.match(answer.toString(), /^HTTP\/1\.1 431 /);
  await once(socket, 'close');
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

test('two hundred and fifty clients that come and go, begun or not, leave descriptors and memory as before', async (t) => {
  const { exec, server, engine } = await servedStreams(t, { maxSessions: 1000 });
  const descriptors = async () => (await fs.readdir('/proc/self/fd')).length;
  const wave = async (count: number): Promise<void> => {
    const clients = await Promise.all(Array.from({ length: count }, async (_, i) => {
      const url = await server.offer({ kind: 'attach', containerId: 'c', stdin: true, stdout: true, stderr: false, tty: true, container: { tty: true, stdin: true } });
      if (i % 5 === 0) return new WsClient(url, 'v5.channel.k8s.io');
      const client = await spdyClient(url, v4);
      if (i % 2 === 0) for (const streamtype of ['error', 'stdin', 'stdout', 'resize']) await client.open({ streamtype });
      return client;
    }));
    for (const client of clients) if (client instanceof SpdyClient) await client.end(); else client.socket.terminate();
    await until(() => server.load.sessions === 0 && engine.going === 0);
  };

  await wave(50);
  const before = { descriptors: await descriptors(), heap: heapUsed() };
  for (let i = 0; i < 4; i++) await wave(50);

  assert.ok(await descriptors() <= before.descriptors, `${await descriptors()} descriptors, ${before.descriptors} before`);
  await until(() => heapUsed() - before.heap < 1 << 20, '200 clients that have gone hold more than 5 KiB each');
  assert.deepEqual(server.load, { sessions: 0, tickets: 0 });
  await (await spdyClient(await exec(['true']), v4)).end();
});

test('an address that is not to be had is refused, naming it', async (t) => {
  const { server } = await servedStreams(t);
  const port = Number(new URL(server.url).port);
  const listen = (address: string, at: number) => serveStreams({ engine: localPrograms(), log: silentLogger, address, port: at, tls: undefined, maxSessions: 1, idleMs: 1000, creationMs: 1000 });

  await assert.rejects(listen('127.0.0.1', port), {
    kind: 'failed-precondition', message: `listen for streams 127.0.0.1 port ${port}: another program listens there; choose another streaming.port, or 0 for any that is free`,
  });
  await assert.rejects(listen('192.0.2.1', 0), { kind: 'failed-precondition', message: /^listen for streams 192\.0\.2\.1 port 0: .*EADDRNOTAVAIL/ });
});

test('on all addresses, URLs are for this node', async (t) => {
  const { server } = await servedStreams(t, { address: '0.0.0.0' });

  assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
});

async function certificates(t: TestContext): Promise<{ folder: string; make(name: string): Promise<void> }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'stream-tls-'));
  t.after(() => fs.rm(folder, { recursive: true }));
  const make = async (name: string): Promise<void> => {
    const [key, cert] = ['key', 'cert'].map((kind) => path.join(folder, `${kind}.new`));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', key!, '-out', cert!], { stdio: 'ignore' });
    await fs.rename(key!, path.join(folder, 'key.pem'));
    await fs.rename(cert!, path.join(folder, 'cert.pem'));
  };
  return { folder, make };
}

test('over TLS: a renewed certificate is used from the next session on, and one that can not be used changes nothing', async (t) => {
  const { folder, make } = await certificates(t);
  await make('first');
  const files = { certFile: path.join(folder, 'cert.pem'), keyFile: path.join(folder, 'key.pem') };
  const { exec, log } = await servedStreams(t, { tls: { ...files, minVersion: 'TLSv1.2' } });
  const nameSeen = async (): Promise<string> => {
    const client = await spdyConnect(await exec(['true']), [v4], { rejectUnauthorized: false }) as SpdyClient;
    const { subject } = (client.socket as TLSSocket).getPeerCertificate();
    const [error] = [await client.open({ streamtype: 'error' }), await client.open({ streamtype: 'stdin' }), await client.open({ streamtype: 'stdout' }), await client.open({ streamtype: 'stderr' })];
    assert.match(await client.text(error), /Success/);
    await client.end();
    return String(subject.CN);
  };

  assert.match(await exec(['true']), /^https:\/\/127\.0\.0\.1:/);
  assert.equal(await nameSeen(), 'first');
  await make('second');
  assert.equal(await nameSeen(), 'second');
  await fs.writeFile(files.certFile, 'half a certifi');
  assert.equal(await nameSeen(), 'second');
  assert.equal(await nameSeen(), 'second');
  assert.equal(log.filter(({ message }) => message === 'streams go on with the certificate as it was').length, 1, 'said once');
  await fs.rm(files.certFile);
  assert.equal(await nameSeen(), 'second');
  await make('third');
  assert.equal(await nameSeen(), 'third');
});

test('TLS older than the least version is refused, and so is a start without a usable certificate', async (t) => {
  const { folder, make } = await certificates(t);
  await make('any');
  const settings = { certFile: path.join(folder, 'cert.pem'), keyFile: path.join(folder, 'key.pem'), minVersion: 'TLSv1.3' } as const;
  const { exec } = await servedStreams(t, { tls: settings });

  await assert.rejects(spdyConnect(await exec(['true']), [v4], { rejectUnauthorized: false, maxVersion: 'TLSv1.2' }), /protocol version|PROTOCOL_VERSION/);
  await fs.writeFile(settings.keyFile, '');
  await assert.rejects(servedStreams(t, { tls: settings }), { kind: 'failed-precondition', message: new RegExp(`^read certificate ${folder}/cert\\.pem with key ${folder}/key\\.pem: `) });
});
