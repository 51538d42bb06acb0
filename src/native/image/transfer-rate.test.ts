import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransferRate } from './transfer-rate.ts';

test('in its first second a rate is what came so far', () => {
  const rate = new TransferRate(5000);
  assert.equal(rate.perSecond(5000), 0);

  rate.add(300, 5100);
  rate.add(200, 5200);

  assert.equal(rate.perSecond(5500), 1000);
});

test('later it is that of the last whole second', () => {
  const rate = new TransferRate(0);
  rate.add(400, 500);
  rate.add(10, 1000);
  rate.add(1, 1900);

  assert.equal(rate.perSecond(1950), 400);
});

test('when nothing arrives any more it falls towards nothing', () => {
  const rate = new TransferRate(0);
  rate.add(8000, 500);
  rate.add(8000, 1000);

  assert.deepEqual([1500, 2000, 5000, 9000].map((now) => rate.perSecond(now)), [8000, 8000, 2000, 1000]);
});
