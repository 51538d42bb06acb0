import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeSpent } from './spent-bytes.ts';

const large = 64 * 1024;

test('the last piece of a large buffer takes the buffer with it', () => {
  const whole = Buffer.allocUnsafeSlow(large);
  const first = whole.subarray(0, 1000);
  const last = whole.subarray(1000);

  freeSpent(first);
  assert.equal(whole.length, large, 'more is behind the first piece');
  freeSpent(last);

  assert.deepEqual([whole.length, first.length, last.length], [0, 0, 0]);
  assert.equal(whole.buffer.byteLength, 0);
});

test('what Node shares out of a pool, and what is shared by threads, is left alone', () => {
  const pooled = Array.from({ length: 64 }, (_, i) => Buffer.from(`piece ${i} ${'x'.repeat(1000)}`));
  const shared = Buffer.from(new SharedArrayBuffer(large));

  for (const piece of [...pooled, shared]) freeSpent(piece);

  assert.deepEqual(pooled.map((piece) => piece.toString()), pooled.map((_, i) => `piece ${i} ${'x'.repeat(1000)}`));
  assert.equal(shared.length, large);
});

test('a piece that is freed twice, or empty, does no harm', () => {
  const piece = Buffer.allocUnsafeSlow(large);

  freeSpent(piece);
  freeSpent(piece);
  freeSpent(Buffer.alloc(0));

  assert.equal(piece.length, 0);
});
