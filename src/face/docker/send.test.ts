import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { inBatches } from './in-batches.ts';
import { sendPieces } from './send.ts';

/** Serves endless pieces to a client that sends a request and reads nothing unless it is told to. */
async function endless(t: TestContext, stalledMs: number) {
  const asked = Promise.withResolvers<void>();
  const folder = await mkdtemp(join(tmpdir(), 'docker-send-'));
  const result = Promise.withResolvers<void>();
  let made = 0;
  async function* pieces() {
    for (;;) {
      made++;
      yield Buffer.alloc(64 << 10);
    }
  }
  const server = createServer((_request, response) => {
    void sendPieces(response, { type: 'x/y', pieces: pieces() }, stalledMs).then(result.resolve, result.reject);
    asked.resolve();
  });
  server.listen(join(folder, 's'));
  await once(server, 'listening');
  const client = connect(join(folder, 's'));
  client.on('error', () => {});
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: d\r\n\r\n');
  t.after(async () => {
    client.destroy();
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });
  await asked.promise;
  return { client, sent: result.promise, made: () => made };
}

test('a client that reads nothing is given up, and little is made for it', async (t) => {
  const { sent, made } = await endless(t, 50);

  await assert.rejects(sent, { kind: 'deadline-exceeded', message: 'send answer: the client has read nothing for 0.05 s' });

  assert.ok(made() < 100, `${made()} pieces`);
});

test('a client that goes away ends the making', async (t) => {
  const { client, sent } = await endless(t, 60_000);

  client.destroy();

  await sent;
});

test('pieces that are there go together, and one that is late keeps none back', async () => {
  const late = Promise.withResolvers<void>();
  async function* pieces() {
    yield Buffer.from('a');
    yield Buffer.from('b');
    await late.promise;
    yield Buffer.from('c');
  }
  const seen: string[] = [];

  for await (const batch of inBatches(pieces())) {
    seen.push(batch.toString());
    late.resolve();
  }

  assert.deepEqual(seen, ['ab', 'c']);
});

test('batches are bounded, and of nothing there is none', async () => {
  async function* pieces() {
    for (let n = 0; n < 10; n++) yield Buffer.alloc(32 << 10);
  }
  const sizes: number[] = [];
  for await (const batch of inBatches(pieces())) sizes.push(batch.length);

  assert.ok(sizes.every((size) => size <= 128 << 10), String(sizes));
  assert.equal(sizes.reduce((sum, size) => sum + size, 0), 320 << 10);
  async function* none(): AsyncGenerator<Buffer> {}
  for await (const batch of inBatches(none())) assert.fail(String(batch));
});
