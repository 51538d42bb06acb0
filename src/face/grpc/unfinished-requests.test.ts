import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { http2Frame } from './http2-frame.fake.ts';
import { UnfinishedRequests } from './unfinished-requests.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [data, headers, reset] = [0, 1, 3];
const [endStream, endHeaders, padded] = [0x1, 0x4, 0x8];
const generous = { requests: 1000, bytes: 1_000_000 };

/** A message of so many bytes, or the beginning of it. */
function messageOf(size: number, sent = size): Buffer {
  const message = Buffer.alloc(5 + sent, 1);
  message[0] = 0;
  message.writeUInt32BE(size, 1);
  return message;
}

function watched(limits = generous): { all: UnfinishedRequests; connection: ReturnType<UnfinishedRequests['watch']>; cut: string[] } {
  const cut: string[] = [];
  const all = new UnfinishedRequests(limits);
  const connection = all.watch((reason) => cut.push(reason.message));
  connection.receive(preface);
  return { all, connection, cut };
}

test('a request counts from its headers to its end, with the message under way and the last whole one', () => {
  const { connection } = watched();
  const counts = (frame: Buffer): [number, number] => {
    connection.receive(frame);
    return [connection.requests, connection.bytes];
  };

  assert.deepEqual(counts(http2Frame(headers, endHeaders, 1, Buffer.alloc(7))), [1, 0]);
  assert.deepEqual(counts(http2Frame(data, 0, 1, messageOf(100, 60))), [1, 60]);
  assert.deepEqual(counts(http2Frame(data, 0, 1, Buffer.alloc(40))), [1, 100]);
  assert.deepEqual(counts(http2Frame(data, 0, 1, messageOf(50, 20))), [1, 120]);
  assert.deepEqual(counts(http2Frame(data, 0, 1, Buffer.concat([Buffer.alloc(30), messageOf(10)]))), [1, 10], 'who sends a third message has had the first one read');
  assert.deepEqual(counts(http2Frame(headers, endHeaders | endStream, 3, Buffer.alloc(7))), [1, 10]);
  assert.deepEqual(counts(http2Frame(data, endStream, 1, Buffer.alloc(0))), [0, 0]);
  assert.deepEqual(counts(http2Frame(headers, endHeaders, 5, Buffer.alloc(7))), [1, 0]);
  assert.deepEqual(counts(http2Frame(reset, 0, 5, Buffer.alloc(4))), [0, 0]);
  assert.deepEqual(counts(http2Frame(headers, endHeaders | endStream, 5, Buffer.alloc(7))), [0, 0], 'trailers begin nothing');
});

test('padding is no data', () => {
  const { connection } = watched();
  connection.receive(http2Frame(headers, endHeaders, 1, Buffer.alloc(7)));

  connection.receive(http2Frame(data, padded, 1, Buffer.concat([Buffer.from([4]), messageOf(100, 60), Buffer.alloc(4)])));

  assert.equal(connection.bytes, 60);
});

test('it does not matter in which pieces the bytes come', () => {
  const stream = Buffer.concat([
    preface, http2Frame(headers, endHeaders, 1, Buffer.alloc(7)), http2Frame(data, padded, 1, Buffer.concat([Buffer.from([2]), messageOf(300, 60), Buffer.alloc(2)])),
    http2Frame(headers, endHeaders, 3, Buffer.alloc(2)), http2Frame(data, 0, 3, messageOf(9)), http2Frame(data, endStream, 1, Buffer.alloc(240)), http2Frame(data, 0, 3, messageOf(70, 11)),
  ]);

  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
    const connection = new UnfinishedRequests(generous).watch(() => {});
    for (let at = 0, i = 0; at < stream.length; i++) {
      const size = sizes[i % sizes.length]!;
      connection.receive(stream.subarray(at, at + size));
      at += size;
    }
    assert.deepEqual([connection.requests, connection.bytes], [1, 20]);
  }));
});

test('what is answered before its end is told once, and counts until then', () => {
  const { connection } = watched();
  for (const stream of [1, 3, 5]) connection.receive(http2Frame(headers, endHeaders, stream, Buffer.alloc(7)));

  connection.send(http2Frame(headers, endHeaders, 1, Buffer.alloc(3)));
  assert.deepEqual(connection.takeAnswered(), []);
  connection.send(Buffer.concat([http2Frame(headers, endHeaders | endStream, 1, Buffer.alloc(3)), http2Frame(reset, 0, 5, Buffer.alloc(4))]));

  assert.equal(connection.requests, 2);
  assert.deepEqual([connection.takeAnswered(), connection.takeAnswered()], [[1], []]);
  assert.equal(connection.requests, 1);
});

test('over a limit it is the connection with the most that is cut off, whoever grew', () => {
  const { all, connection: large, cut } = watched({ requests: 3, bytes: 100 });
  const cutSmall: string[] = [];
  const small = all.watch((reason) => cutSmall.push(reason.message));
  small.receive(preface);
  large.receive(Buffer.concat([http2Frame(headers, endHeaders, 1, Buffer.alloc(1)), http2Frame(data, 0, 1, messageOf(200, 80))]));

  small.receive(Buffer.concat([http2Frame(headers, endHeaders, 1, Buffer.alloc(1)), http2Frame(data, 0, 1, messageOf(200, 21))]));

  assert.deepEqual(cut, ['keep connection: requests that clients have begun and not ended: 101 bytes where 100 may be, 80 of this connection\'s, the most of all']);
  assert.equal(all.bytes, 21);
  for (const stream of [3, 5, 7]) small.receive(http2Frame(headers, endHeaders, stream, Buffer.alloc(1)));
  assert.deepEqual(cutSmall, ['keep connection: requests that clients have begun and not ended: 4 where 3 may be, 4 of this connection\'s, the most of all']);
  assert.equal(all.bytes, 0);
});
