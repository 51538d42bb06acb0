/** Exec and attach over WebSocket, against programs of this machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { servedStreams, until, WsClient } from '../served-streams.fake.ts';

const success = '{"metadata":{},"status":"Success"}';

test('v5: input can be ended alone; output, errors and the exit code come on their channels', async (t) => {
  const { exec, server } = await servedStreams(t);

  const client = new WsClient(await exec(['sh', '-c', 'cat; echo trouble >&2; exit 7']), 'v5.channel.k8s.io');
  await client.opened;
  client.send(0, 'one ');
  client.send(0, 'two');
  client.socket.send(Buffer.from([255, 0]));

  assert.equal(await client.closed, 1000);
  assert.equal(client.of(1).toString(), 'one two');
  assert.equal(client.of(2).toString(), 'trouble\n');
  assert.deepEqual(JSON.parse(client.of(3).toString()).details, { causes: [{ reason: 'ExitCode', message: '7' }] });
  await until(() => server.load.sessions === 0);
});

for (const [protocol, onSuccess, onFailure] of [
  ['v4.channel.k8s.io', success, /"reason":"ExitCode","message":"3"/], ['v4.base64.channel.k8s.io', success, /"reason":"ExitCode","message":"3"/],
  ['channel.k8s.io', '', /^command terminated with exit code 3$/], ['base64.channel.k8s.io', '', /^command terminated with exit code 3$/], ['', '', /^command terminated with exit code 3$/],
] as const) {
  test(`${protocol === '' ? 'no protocol' : protocol}: bytes pass both ways, and the end is told as it is used there`, async (t) => {
    const { exec, engine } = await servedStreams(t);
    const offered = protocol === '' ? [] : protocol;

    const good = new WsClient(await exec(['head', '-c', '8'], { tty: true, stderr: false }), offered);
    await good.opened;
    assert.equal(good.socket.protocol, protocol);
    await until(() => good.messages.length === 1, 'an empty message says that it is on');
    assert.equal(good.of(1).length, 0);
    good.send(4, '{"Width":100,"Height":40}');
    await until(() => engine.sizes.length === 1);
    good.send(0, Buffer.from([0, 255, 128, 10]));
    good.send(0, Buffer.from([1, 2, 3, 4]));
    await good.closed;
    const bad = new WsClient(await exec(['sh', '-c', 'exit 3']), offered);
    await bad.closed;

    assert.deepEqual([...good.of(1)], [0, 255, 128, 10, 1, 2, 3, 4]);
    assert.equal(good.of(3).toString(), onSuccess);
    assert.match(bad.of(3).toString(), onFailure);
    assert.deepEqual(engine.sizes, [{ columns: 100, rows: 40 }]);
  });
}

test('before v5 there is no end of input but that of the connection', async (t) => {
  const { exec, engine, server } = await servedStreams(t);

  const client = new WsClient(await exec(['cat']), 'v4.channel.k8s.io');
  await client.opened;
  client.socket.send(Buffer.from([255, 0]));
  client.send(0, 'still open');
  await until(() => client.of(1).toString() === 'still open');
  client.socket.close();

  await until(() => engine.going === 0 && server.load.sessions === 0);
  assert.deepEqual(engine.aborted, ['exec in container c: the client went away']);
});

test('the best protocol that the client offers is its own choice', async (t) => {
  const { exec } = await servedStreams(t);

  const client = new WsClient(await exec(['true']), ['v9.channel.k8s.io', 'v4.channel.k8s.io', 'v5.channel.k8s.io']);
  await client.closed;

  assert.equal(client.socket.protocol, 'v4.channel.k8s.io');
});

test('messages for channels that are not there, or that only we write to, are passed over; so are empty ones', async (t) => {
  const { exec } = await servedStreams(t);

  const client = new WsClient(await exec(['cat']), 'v5.channel.k8s.io');
  await client.opened;
  for (const message of [[], [0], [1, 65], [2, 65], [3, 65], [4, 65], [5, 65], [254, 65], [255], [255, 9], [255, 1], [255, 0, 0]]) client.socket.send(Buffer.from(message));
  client.send(0, 'alive');
  client.socket.send(Buffer.from([255, 0]));
  await client.closed;

  assert.equal(client.of(1).toString(), 'alive');
});

test('a message that is not base64 where it has to be ends the session', async (t) => {
  const { exec, log, engine } = await servedStreams(t);

  const client = new WsClient(await exec(['sleep', '600']), 'v4.base64.channel.k8s.io');
  await client.opened;
  client.socket.send('0!!!!');

  assert.equal(await client.closed, 1007);
  await until(() => engine.going === 0);
  assert.ok(log.some(({ message, error }) => message === 'the connection broke' && error === 'read WebSocket message: after its channel it is not base64'));
});

test('a message larger than any is refused, and frames that are none', async (t) => {
  const { exec, server, engine } = await servedStreams(t);

  const client = new WsClient(await exec(['sleep', '600']), 'v4.channel.k8s.io');
  await client.opened;
  client.socket.send(Buffer.alloc((16 << 20) + 1));
  assert.equal(await client.closed, 1009);
  const wild = new WsClient(await exec(['sleep', '600']), 'v4.channel.k8s.io');
  await wild.opened;
  (wild.socket as unknown as { _socket: NodeJS.WritableStream })._socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]));
  assert.equal(await wild.closed, 1002);

  await until(() => server.load.sessions === 0 && engine.going === 0);
});

test('a client that never reads stops its command, and is seen to go', async (t) => {
  const { exec, engine, server } = await servedStreams(t);

  const client = new WsClient(await exec(['head', '-c', '300000000', '/dev/zero']), 'v5.channel.k8s.io');
  await client.opened;
  client.socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(engine.going, 1, 'the command waits');
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 << 20);
  client.socket.terminate();

  await until(() => server.load.sessions === 0 && engine.going === 0);
});

test('a program that never reads stops its client, and the client is seen to go all the same', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { exec, engine, server } = await servedStreams(t);

  const client = new WsClient(await exec(['sleep', '600']), 'v5.channel.k8s.io');
  await client.opened;
  for (let i = 0; i < 500; i++) client.send(0, Buffer.alloc(1 << 16));
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(client.socket.bufferedAmount > 0, 'the client waits');
  client.socket.terminate();

  for (let i = 0; i < 4 && engine.going > 0; i++) {
    t.mock.timers.tick(20_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await until(() => server.load.sessions === 0 && engine.going === 0);
});

test('a stop of the daemon ends its sessions, and tells their clients', async (t) => {
  const { exec, engine, server } = await servedStreams(t);

  const client = new WsClient(await exec(['sleep', '600']), 'v5.channel.k8s.io');
  await until(() => engine.going === 1);
  await server.close(1000);

  assert.equal(await client.closed, 1000);
  assert.match(client.of(3).toString(), /exec in container c: gantry is stopping/);
});
