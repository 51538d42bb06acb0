import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FrameReader } from './demultiplex.ts';

const frame = (kind: number, text: string): Buffer => {
  const header = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

test('frames are put together again however they were cut', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string({ minLength: 1 }))), fc.integer({ min: 1, max: 20 }), (sent, step) => {
    const bytes = Buffer.concat(sent.map(([kind, text]) => frame(kind, text)));
    const reader = new FrameReader();
    const got: [string, string][] = [];
    let rest: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += step) {
      for (const { stream, bytes: piece, last } of reader.push(bytes.subarray(at, at + step))) {
        rest.push(piece);
        if (!last) continue;
        got.push([stream, Buffer.concat(rest).toString()]);
        rest = [];
      }
    }

    assert.deepEqual(got, sent.map(([kind, text]) => [kind === 2 ? 'stderr' : 'stdout', text]));
  }));
});

test('an empty frame is no output, and bytes that are no frame are a failure', () => {
  assert.deepEqual(new FrameReader().push(Buffer.concat([frame(1, ''), frame(1, 'x')])).map(({ bytes }) => bytes.toString()), ['x']);
  assert.throws(() => new FrameReader().push(Buffer.from('HTTP/1.1 500')), { kind: 'internal', message: /a frame of kind 72$/ });
});
