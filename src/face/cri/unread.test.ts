/** Clients that do not take what they asked for, or do not end what they began: the server's memory stays bounded, and all others are answered. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ImageServiceService, RuntimeServiceService } from '../../gen/cri.ts';
import type { CriClient } from './cri-client.fake.ts';
import { criClient } from './cri-client.fake.ts';

const MiB = 1024 * 1024;
const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'unread-'));
const socketPath = path.join(folder, 'cri.sock');
const server = fork(path.join(import.meta.dirname, 'flooded-server.fake.ts'), [socketPath], { execArgv: ['--expose-gc'] });
const client: CriClient = criClient(socketPath);
after(async () => {
  client.close();
  server.kill();
  await fs.rm(folder, { recursive: true });
});
await once(server, 'message');

interface Seen {
  readonly rss: number;
  readonly inFlight: number;
  readonly warned: readonly string[];
}

async function seen(asked: 'held' | 'now' = 'now'): Promise<Seen> {
  const answer = once(server, 'message');
  server.send(asked);
  return (await answer)[0] as Seen;
}

async function until(condition: (now: Seen) => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (condition(await seen())) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`did not come about: ${JSON.stringify(await seen())}`);
}

/** Runs it, and tells by how much the server had grown at the end; whoever is not part of it is answered. */
async function grownBy(flood: () => Promise<void>): Promise<number> {
  const before = (await seen('held')).rss;
  await flood();
  assert.equal((await client.call('version', { version: '' })).runtimeName, 'gantry');
  return Math.round(((await seen('held')).rss - before) / MiB);
}

function connection(t: TestContext, settings: http2.Settings = {}): http2.ClientHttp2Session {
  const session = http2.connect('http://localhost', { createConnection: () => net.connect(socketPath), settings });
  session.on('error', () => {});
  t.after(() => session.destroy());
  return session;
}

function call(session: http2.ClientHttp2Session, method: string): http2.ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': method, 'content-type': 'application/grpc', 'te': 'trailers' });
  stream.on('error', () => {});
  return stream;
}

const emptyMessage = Buffer.alloc(5);
/** The beginning of a message of so many bytes. */
function messageHead(bytes: number): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes, 1);
  return head;
}

const methods = [...Object.values(RuntimeServiceService), ...Object.values(ImageServiceService)].map(({ path: method }) => method);

test('answers that nobody takes, of every RPC, are held up to a limit; more are refused with the reason', { timeout: 120_000 }, async (t) => {
  const reasons = new Set<string>();
  const large = ['ListContainers', 'StreamContainers', 'ListContainerStats', 'StreamContainerStats']; // 2 MiB an answer: 1.5 GiB in all
  const flooding: http2.ClientHttp2Session[] = [];
  const flood = (method: string, calls: number): void => {
    const session = connection(t, { initialWindowSize: 0 });
    flooding.push(session);
    for (let i = 0; i < calls; i++) {
      const stream = call(session, method);
      stream.on('response', (headers) => {
        if (headers['grpc-status'] === '8') reasons.add(decodeURI(String(headers['grpc-message'])).replaceAll(/\d{5,}/g, 'N'));
      });
      stream.end(emptyMessage);
    }
  };

  const grown = await grownBy(async () => {
    for (const method of methods) flood(method, 40);
    flood('/runtime.v1.ImageService/ListImages', 500);
    for (const name of large) flood(`/runtime.v1.RuntimeService/${name}`, 150);
    await until(({ inFlight }) => inFlight >= 512 + 10 * 40);
    await eventuallySaid(reasons, 'ListImages: 512 such calls are being answered already; ask again when some are done');
    const full = 'the answers that callers have not taken yet have N bytes, and with the N of this one more than N; take them, or ask again later';
    for (const name of large) await eventuallySaid(reasons, `${name}: ${full}`);
  });

  t.diagnostic(`grown by ${grown} MiB`);
  assert.ok(grown < 700, `grown by ${grown} MiB`);
  flooding.forEach((session) => session.destroy());
  await until(({ inFlight }) => inFlight === 0);
});

async function eventuallySaid(reasons: ReadonlySet<string>, reason: string): Promise<void> {
  await until(() => reasons.has(reason)).catch(() => assert.fail(`${reason} is not in ${[...reasons].join('\n')}`));
}

test('messages that are begun and never ended: who holds most of them is cut off, who sends whole ones is not', { timeout: 120_000 }, async (t) => {
  const sessions = Array.from({ length: 12 }, () => connection(t));
  let cut = 0;
  for (const session of sessions) session.on('close', () => cut++);

  const grown = await grownBy(async () => {
    for (let round = 0; round < 20; round++) {
      for (const session of sessions) {
        if (session.destroyed) continue;
        const stream = call(session, '/runtime.v1.RuntimeService/CreateContainer');
        stream.write(messageHead(8 * MiB));
        stream.write(Buffer.alloc(MiB));
      }
      await client.call('version', { version: '' });
    }
    await until(({ warned }) => warned.length >= 8 && cut >= 8);
  });

  t.diagnostic(`grown by ${grown} MiB, ${cut} of ${sessions.length} connections cut off`);
  assert.ok(grown < 150, `grown by ${grown} MiB`);
  const { warned } = await seen();
  assert.match(warned[0]!, /^connection ended .*keep connection: requests that clients have begun and not ended: \d+ bytes where 67108864 may be, \d+ of this connection's, the most of all/);
  sessions.forEach((session) => session.destroy());
});

test('requests that are only opened are counted too', { timeout: 120_000 }, async (t) => {
  const sessions = Array.from({ length: 5 }, () => connection(t));

  const grown = await grownBy(async () => {
    for (const session of sessions) for (let i = 0; i < 1000; i++) call(session, '/runtime.v1.RuntimeService/Version').write('');
    await until(({ warned }) => warned.some((line) => /begun and not ended: \d+ where 4096 may be/.test(line)));
  });

  t.diagnostic(`grown by ${grown} MiB`);
  assert.ok(grown < 200, `grown by ${grown} MiB`);
});

test('a request that is answered before it has ended is over', async (t) => {
  const session = connection(t);

  for (let i = 0; i < 300; i++) {
    const stream = call(session, '/runtime.v1.RuntimeService/Version');
    stream.write(messageHead(2 ** 31)); // is refused at once
    const [headers] = await once(stream, 'response') as [http2.IncomingHttpHeaders];
    assert.equal(headers['grpc-status'], '8');
  }

  const last = call(session, '/runtime.v1.RuntimeService/Version');
  last.end(emptyMessage);
  assert.match(Buffer.concat(await last.toArray() as Buffer[]).toString('latin1'), /gantry/);
});

test('more connections than there may be: those that say nothing make room', { timeout: 60_000 }, async (t) => {
  const sockets: net.Socket[] = [];
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  let closed = 0;

  for (let i = 0; i < 700; i++) {
    const socket = net.connect(socketPath).on('error', () => {}).on('close', () => closed++);
    sockets.push(socket.resume());
    await once(socket, 'connect');
    if (i % 50 === 0) await client.call('version', { version: '' });
  }

  await until(({ warned }) => closed > 150 && warned.some((line) => line.includes('keep connection: there are 512, another one came')));
  assert.ok(sockets.at(-1)?.readyState === 'open', 'the newest stays');
});
