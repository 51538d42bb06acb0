/** Exec and attach over SPDY, against programs of this machine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { servedStreams, until } from '../served-streams.fake.ts';
import type { Served } from '../served-streams.fake.ts';
import { spdyClient, types, words } from '../../spdy/spdy-client.fake.ts';
import type { SpdyClient } from '../../spdy/spdy-client.fake.ts';

interface Opened {
  readonly client: SpdyClient;
  readonly stream: Readonly<Record<'error' | 'stdin' | 'stdout' | 'stderr' | 'resize', number>>;
}

async function opened(url: string, { protocol = 'v4.channel.k8s.io', streams = ['error', 'stdin', 'stdout', 'stderr'] }: { protocol?: string; streams?: readonly string[] } = {}): Promise<Opened> {
  const client = await spdyClient(url, ...(protocol === '' ? [] : [protocol]));
  const stream: Record<string, number> = {};
  for (const type of streams) stream[type] = await client.open({ streamtype: type });
  return { client, stream: stream as Opened['stream'] };
}

const status = async ({ client, stream }: Opened): Promise<unknown> => JSON.parse(await client.text(stream.error));

test('a command gets its input to its end, and its output, errors and exit code go back apart', async (t) => {
  const { exec, server } = await servedStreams(t);

  const session = await opened(await exec(['sh', '-c', 'cat; echo trouble >&2; exit 7']));
  session.client.send(session.stream.stdin, 'one ');
  session.client.send(session.stream.stdin, 'two', true);

  assert.equal(await session.client.text(session.stream.stdout), 'one two');
  assert.equal(await session.client.text(session.stream.stderr), 'trouble\n');
  assert.deepEqual(await status(session), {
    metadata: {}, status: 'Failure', message: 'command terminated with exit code 7', reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '7' }] },
  });
  assert.equal((await session.client.control(types.goaway)).body.readUInt32BE(4), 0);
  await session.client.end();
  await until(() => server.load.sessions === 0);
});

test('success is a status of its own with v4, and nothing on the error stream before it', async (t) => {
  const { exec } = await servedStreams(t);

  assert.deepEqual(await status(await opened(await exec(['true']))), { metadata: {}, status: 'Success' });
  for (const protocol of ['v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io', '']) {
    const good = await opened(await exec(['true']), { protocol });
    const bad = await opened(await exec(['sh', '-c', 'exit 3']), { protocol });

    assert.equal(good.client.protocol, protocol === '' ? 'channel.k8s.io' : protocol);
    assert.equal(await good.client.text(good.stream.error), '');
    assert.equal(await bad.client.text(bad.stream.error), 'command terminated with exit code 3');
  }
});

test('the sizes of a terminal reach the engine, from v3 on', async (t) => {
  const { exec, engine } = await servedStreams(t);
  const terminal = { tty: true, stderr: false };

  const { client, stream } = await opened(await exec(['cat'], terminal), { streams: ['error', 'stdin', 'stdout', 'resize'] });
  client.send(stream.resize, '{"Width":80,"Height":24}\n{"Width":');
  await until(() => engine.sizes.length === 1);
  client.send(stream.resize, '132,"Height":50}');
  await until(() => engine.sizes.length === 2);
  client.send(stream.stdin, '', true);

  assert.equal(await client.text(stream.error), '{"metadata":{},"status":"Success"}');
  assert.deepEqual(engine.sizes, [{ columns: 80, rows: 24 }, { columns: 132, rows: 50 }]);
  const old = await opened(await exec(['true'], terminal), { protocol: 'v2.channel.k8s.io', streams: ['error', 'stdin', 'stdout'] });
  assert.equal(await old.client.text(old.stream.error), '');
});

test('attach joins the client to a container, with a terminal where that has one, until the client goes', async (t) => {
  const { server, engine } = await servedStreams(t);
  const url = await server.offer({ kind: 'attach', containerId: 'c', stdin: true, stdout: true, stderr: false, tty: true, container: { tty: true, stdin: true } });

  const { client, stream } = await opened(url, { streams: ['error', 'stdin', 'stdout', 'resize'] });
  client.send(stream.stdin, 'hello');
  client.send(stream.resize, '{"Width":10,"Height":5}');
  await client.until(() => Buffer.concat(client.frames.filter((frame) => frame.stream === stream.stdout).map(({ body }) => body)).includes('attached\nhello'));
  await until(() => engine.sizes.length === 1);
  await client.end();

  await until(() => server.load.sessions === 0);
  assert.equal(engine.going, 0);
});

test('of a container without input or terminal the engine gets none, whatever the client opened', async (t) => {
  const { server, engine } = await servedStreams(t);
  const seen: unknown[] = [];
  Object.assign(engine, { attach: async (_id: string, { stdin, stderr, resizes }: Parameters<Served['engine']['attach']>[1]) => {
    seen.push(stdin, stderr !== undefined);
    for await (const size of resizes) seen.push(size);
  } });
  const url = await server.offer({ kind: 'attach', containerId: 'c', stdin: true, stdout: true, stderr: true, tty: false, container: { tty: false, stdin: false } });

  const session = await opened(url);
  session.client.send(session.stream.stdin, Buffer.alloc(1 << 20));

  assert.deepEqual(await status(session), { metadata: {}, status: 'Success' });
  assert.deepEqual(seen, [undefined, true]);
});

test('a container that died between the request and the client is told on the error stream', async (t) => {
  const { exec } = await servedStreams(t);

  const session = await opened(await exec(['true'], { containerId: 'dead' }));
  const message = 'exec in container dead: it has exited';

  assert.deepEqual(await status(session), { metadata: {}, status: 'Failure', message, reason: 'InternalError', details: { causes: [{ message }] }, code: 500 });
  const old = await opened(await exec(['true'], { containerId: 'dead' }), { protocol: 'v2.channel.k8s.io' });
  assert.equal(await old.client.text(old.stream.error), message);
});

test('a client that goes away ends its command', async (t) => {
  const { exec, engine, server } = await servedStreams(t);

  const { client } = await opened(await exec(['sleep', '600']));
  await until(() => engine.going === 1);
  await client.end();

  await until(() => engine.going === 0 && server.load.sessions === 0);
  assert.deepEqual(engine.aborted, ['exec in container c: the client went away']);
});

test('a client that does not open its streams is cut off in time', async (t) => {
  const { exec, log, server, engine } = await servedStreams(t, { creationMs: 1000 });

  const { client } = await opened(await exec(['true']), { streams: ['error', 'stdout'] });
  await client.until(() => client.closed);

  await until(() => server.load.sessions === 0);
  assert.match(String(log.at(-1)?.error), /exec in container c: the client did not open its streams within 1 s/);
  assert.equal(engine.going, 0);
});

test('a session over which nothing goes is ended, and its client told why', async (t) => {
  const { exec, engine } = await servedStreams(t, { idleMs: 1000 });

  const session = await opened(await exec(['sleep', '600']));

  assert.match(await session.client.text(session.stream.error), /exec in container c: nothing went over it for 1 s/);
  assert.equal(engine.going, 0);
});

test('a stop of the daemon ends its sessions, and tells their clients', async (t) => {
  const { exec, engine, server } = await servedStreams(t);

  const session = await opened(await exec(['sleep', '600']));
  const unused = await exec(['true']);
  await until(() => engine.going === 1);
  const closed = server.close(1000);

  assert.match(await session.client.text(session.stream.error), /exec in container c: gantry is stopping/);
  await session.client.end();
  await closed;
  assert.deepEqual([engine.going, server.load], [0, { sessions: 0, tickets: 0 }]);
  await assert.rejects(spdyClient(unused, 'v4.channel.k8s.io'));
  await assert.rejects(exec(['true']), { kind: 'unavailable', message: 'open stream session: gantry is stopping; ask again when it is back' });
});

test('a client that never reads stops its command, not the daemon, and holds little of it', async (t) => {
  const { exec, engine, server } = await servedStreams(t);

  const { client } = await opened(await exec(['head', '-c', '300000000', '/dev/zero']));
  client.socket.pause();
  await until(() => engine.going === 1);
  const before = process.memoryUsage();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const after = process.memoryUsage();

  assert.equal(engine.going, 1, 'the command waits');
  assert.ok(after.arrayBuffers - before.arrayBuffers < 8 << 20, `${after.arrayBuffers - before.arrayBuffers} bytes more`);
  await client.end();
  await until(() => server.load.sessions === 0 && engine.going === 0);
});

test('a client that does not even read why its session was ended is cut off', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const { exec, engine, server } = await servedStreams(t, { idleMs: 1 });
  // Time goes by in every round: a timer may be set a round after what the test has seen.
  const soon = async (condition: () => boolean, ms = 0) => {
    while (!condition()) {
      t.mock.timers.tick(ms);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  const { client } = await opened(await exec(['head', '-c', '300000000', '/dev/zero']));
  client.socket.pause();
  await soon(() => engine.going === 1 && client.socket.readableLength > 0);
  await soon(() => engine.going === 0, 1);
  assert.equal(server.load.sessions, 1);

  await soon(() => server.load.sessions === 0, 1000);
});

test('a program that never reads stops its client, and the client is seen to go all the same', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { exec, engine, server } = await servedStreams(t);

  const { client, stream } = await opened(await exec(['sleep', '600']));
  /** Whether there is room for more within a while: a full socket may only be a slow one. */
  const drained = () => Promise.race([once(client.socket, 'drain').then(() => true), new Promise<false>((resolve) => setTimeout(resolve, 500, false))]);
  let sent = 0;
  while (sent < 64 << 20 && (client.send(stream.stdin, Buffer.alloc(1 << 16)) || (await drained()))) sent += 1 << 16;
  assert.ok(sent < 64 << 20, 'the client waits');
  await client.end();

  for (let i = 0; i < 4 && engine.going > 0; i++) {
    t.mock.timers.tick(20_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await until(() => server.load.sessions === 0 && engine.going === 0);
});

test('windows: what is taken is credited, and what the client credits, however absurd, changes nothing', async (t) => {
  const { exec } = await servedStreams(t);

  const { client, stream } = await opened(await exec(['cat']));
  for (const delta of [0, 1, 0x7fffffff, 0xffffffff]) client.socket.write(Buffer.concat([Buffer.from([0x80, 3, 0, types.window, 0, 0, 0, 8]), words(stream.stdout, delta)]));
  client.socket.write(Buffer.concat([Buffer.from([0x80, 3, 0, types.settings, 0, 0, 0, 12]), words(1, 7, 0)]));
  client.send(stream.stdin, Buffer.alloc(200_000, 'x'), true);

  assert.equal((await client.all(stream.stdout)).length, 200_000);
  const credited = (id: number) => client.frames.filter((frame) => frame.type === types.window && frame.stream === id).reduce((sum, { body }) => sum + body.readUInt32BE(4), 0);
  assert.ok(credited(stream.stdin) > 100_000 && credited(stream.stdin) <= 200_000, String(credited(stream.stdin)));
  assert.ok(credited(0) > 160_000 && credited(0) <= 200_000, String(credited(0)));
});

test('many megabytes pass both ways unharmed', async (t) => {
  const { exec } = await servedStreams(t);
  const pattern = Buffer.from(Array.from({ length: 65_521 }, (_, i) => (i * 7) & 0xff));

  const { client, stream } = await opened(await exec(['cat']));
  for (let i = 0; i < 200; i++) if (!client.send(stream.stdin, pattern)) await new Promise((resolve) => client.socket.once('drain', resolve));
  client.send(stream.stdin, '', true);

  const back = await client.all(stream.stdout);
  assert.ok(back.equals(Buffer.concat(Array.from({ length: 200 }, () => pattern))));
});
