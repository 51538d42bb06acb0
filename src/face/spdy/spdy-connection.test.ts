/** Both ends of a connection, where they differ. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { SpdyConnection } from './spdy-connection.ts';
import type { SpdyStream } from './spdy-connection.ts';

/** A client's end, and the streams as the server has them. */
function joined(t: TestContext, serve: (stream: SpdyStream) => void): SpdyConnection {
  const [near, far] = duplexPair();
  const server = new SpdyConnection({ transport: far, onStream: serve });
  const client = new SpdyConnection({ transport: near });
  t.after(() => {
    client.destroy();
    server.destroy();
  });
  return client;
}

test('what a server said before it reset a stream is read to its end', async (t) => {
  const client = joined(t, (stream) => stream.write('{"status":"Success"}', () => stream.destroy()));

  const stream = await client.open(new Map([['streamtype', 'error']]));
  await nextTurn(); // all of it has come before anybody reads

  assert.equal(await text(stream), '{"status":"Success"}');
});

test('a stream that the server takes no more of is closed, and what is still written to it goes nowhere', async (t) => {
  const client = joined(t, (stream) => stream.destroy());

  const stream = await client.open(new Map([['streamtype', 'stdin']]));
  stream.resume().write('nobody reads this');

  await once(stream, 'close');
});
