import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { HeaderFrames, maxHeaderBlockBytes } from './header-frames.ts';
import { http2Frame } from './http2-frame.fake.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [data, headers, settings, continuation] = [0, 1, 4, 9];
const [endHeaders, padded, priority] = [0x4, 0x8, 0x20];

/** `:authority` as a raw literal without indexing. */
const authority = (value: string): Buffer => Buffer.concat([Buffer.from([0x01, value.length]), Buffer.from(value)]);

const sent = authority('/run/x.sock');
const passed = authority('-run-x.sock');

/** What comes out when the bytes arrive in chunks of this size. */
function filtered(bytes: Buffer, chunk = bytes.length): Buffer {
  const frames = new HeaderFrames();
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunk) out.push(Buffer.from(frames.next(Buffer.from(bytes.subarray(at, at + chunk)))));
  return Buffer.concat(out);
}

test('a header block is rewritten, whatever comes before and behind stays', () => {
  const before = [preface, http2Frame(settings, 0, 0, Buffer.from('//////')), http2Frame(data, 0, 1, sent)];
  const behind = [http2Frame(data, 0, 1, Buffer.from('/a/b'))];

  const stream = (block: Buffer): Buffer => Buffer.concat([...before, http2Frame(headers, endHeaders, 1, block), ...behind]);
  assert.deepEqual(filtered(stream(sent)), stream(passed));
});

test('padding and priority are no part of the block', () => {
  const around = (block: Buffer): Buffer => {
    const payload = Buffer.concat([Buffer.from([3, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f]), block, Buffer.from('///')]);
    return Buffer.concat([preface, http2Frame(headers, endHeaders | padded | priority, 1, payload)]);
  };

  assert.deepEqual(filtered(around(sent)), around(passed));
});

test('a block that goes on in CONTINUATION frames is rewritten across them', () => {
  const split = (block: Buffer): Buffer => Buffer.concat([
    preface, http2Frame(headers, 0, 1, block.subarray(0, 4)), http2Frame(continuation, 0, 1, block.subarray(4, 5)),
    http2Frame(continuation, 0, 1, Buffer.alloc(0)), http2Frame(continuation, endHeaders, 1, block.subarray(5)),
  ]);

  assert.deepEqual(filtered(split(sent)), split(passed));
});

test('it does not matter where the chunks end', () => {
  const stream = (block: Buffer): Buffer => Buffer.concat([
    preface, http2Frame(settings, 0, 0, Buffer.alloc(0)),
    http2Frame(headers, endHeaders, 1, block), http2Frame(data, 0, 1, Buffer.from('payload/payload')),
    http2Frame(headers, 0, 3, block.subarray(0, 3)), http2Frame(continuation, endHeaders, 3, block.subarray(3)),
    http2Frame(headers, endHeaders | priority, 5, Buffer.concat([Buffer.alloc(5, 0x2f), block])),
  ]);
  fc.assert(fc.property(fc.integer({ min: 1, max: 200 }), (chunk) => assert.deepEqual(filtered(stream(sent), chunk), stream(passed))));
});

test('data passes before its frame is whole', () => {
  const frames = new HeaderFrames();
  const start = Buffer.concat([preface, http2Frame(data, 0, 1, Buffer.alloc(1000)).subarray(0, 100)]);

  assert.equal(frames.next(start).length, start.length);
});

test('a block that another frame interrupts is left for the HTTP/2 server to refuse', () => {
  const broken = Buffer.concat([
    preface, http2Frame(headers, 0, 1, sent), http2Frame(data, 0, 1, sent), http2Frame(headers, 0, 1, sent), http2Frame(continuation, endHeaders, 7, sent),
  ]);

  assert.deepEqual(filtered(broken), broken);
});

test('a padded frame that is shorter than its padding does no harm', () => {
  for (const payload of [Buffer.alloc(0), Buffer.from([200]), Buffer.from([200, 1, 1])]) {
    const bytes = Buffer.concat([preface, http2Frame(headers, endHeaders | padded | priority, 1, payload)]);
    assert.deepEqual(filtered(bytes), bytes);
  }
});

test('a header block beyond the limit is refused before it is held', () => {
  const frames = new HeaderFrames();
  frames.next(Buffer.from(preface));
  const announced = http2Frame(headers, endHeaders, 1, Buffer.alloc(maxHeaderBlockBytes)).subarray(0, 9);

  assert.throws(() => frames.next(announced), { message: `read request headers: a header block of more than ${maxHeaderBlockBytes} bytes` });
});

test('a header block that never ends is refused at the limit', () => {
  const frames = new HeaderFrames();
  frames.next(Buffer.concat([preface, http2Frame(headers, 0, 1, Buffer.alloc(16_384))]));

  assert.throws(() => {
    for (let i = 0; i < 10; i++) frames.next(http2Frame(continuation, 0, 1, Buffer.alloc(16_384)));
  }, /a header block of more than/);
});
