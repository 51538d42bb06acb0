/** The server itself: how it greets, what it limits, how it ends. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import { test } from 'node:test';
import { fakeNode, mainId, messageWith, servedNode } from './node.fake.ts';

test('a client learns from a ping which version to speak', async (t) => {
  const { ask } = await servedNode(t);

  for (const line of ['GET /_ping', 'HEAD /_ping', 'GET /v1.24/_ping']) {
    const { status, headers, text } = await ask(line);
    assert.deepEqual([status, text, headers['api-version'], headers['ostype'], headers['docker-experimental'], headers['builder-version']], [200, line.startsWith('HEAD') ? '' : 'OK', '1.44', 'linux', 'false', '1']);
  }
  assert.equal((await ask('GET /nothing')).headers['api-version'], '1.44');
});

test('the socket is for root and its group', async (t) => {
  const { socketPath } = await servedNode(t);

  const { mode } = await fs.stat(socketPath);

  assert.equal(mode & 0o777, 0o660);
});

test('a version that is not spoken is refused', async (t) => {
  const { ask } = await servedNode(t);

  assert.equal(messageWith(400, await ask('GET /v1.99/info')), 'client version 1.99 is too new. Maximum supported API version is 1.44');
});

test('a failure of the engine is told by its kind, and one of our own is logged', async (t) => {
  const node = fakeNode();
  node.statuses.clear();
  const { ask, lines } = await servedNode(t, node);

  assert.equal(messageWith(404, await ask(`GET /containers/${mainId}/json`)), `ask for container ${mainId}`);
  node.pods = undefined as never;
  assert.equal((await ask('GET /containers/json')).status, 500);
  assert.ok(lines.some((line) => line.startsWith('warn a request to the Docker API failed')));
});

test('who sends a large body with what is refused still gets to read why', async (t) => {
  const { ask } = await servedNode(t);

  const answer = await ask('POST /build', { body: Buffer.alloc(4 << 20) });

  assert.match(messageWith(403, answer), /^docker build is not for this socket/);
});

test('headers without end are cut off', async (t) => {
  const { ask } = await servedNode(t);

  const { status } = await ask('GET /_ping', { headers: { 'x-long': 'x'.repeat(20_000) } });

  assert.equal(status, 431);
});

test('stopping ends what is streamed, and takes the socket away', async (t) => {
  const { open, server, socketPath } = await servedNode(t);
  const events = await open('GET /events');
  const ended = events.toArray();

  await server.close(30_000);

  assert.deepEqual(await ended, []);
  await assert.rejects(fs.stat(socketPath), { code: 'ENOENT' });
});

test('a socket that is in use is refused', async (t) => {
  const { socketPath } = await servedNode(t);
  const { serveDocker } = await import('./docker-server.ts');

  await assert.rejects(serveDocker({ socketPath } as never), { kind: 'already-exists', message: `listen for the Docker API ${socketPath}: another process answers there; stop it or listen elsewhere` });
});

test('a client that goes away while it is answered leaves the server answering', async (t) => {
  const { ask, socketPath } = await servedNode(t);

  for (const text of ['GET /events HTTP/1.1\r\nHost: d\r\n\r\n', 'GET /_ping HTTP/1.1\r\nHo', 'no http\r\n\r\n']) {
    const client = net.connect(socketPath);
    await new Promise<void>((resolve) => client.write(text, () => resolve()));
    client.destroy();
  }

  assert.equal((await ask('GET /_ping')).status, 200);
});
