import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CpuRates } from './cpu-rate.ts';

const second = 1_000_000_000n;

test('nanocores are CPU time by time passed, from the second reading on', () => {
  const rates = new CpuRates();

  assert.equal(rates.rate('c1', 10n * second, 4n * second), undefined);
  assert.equal(rates.rate('c1', 12n * second, 5n * second), second / 2n);
});

test('a reading too soon repeats the last rate instead of measuring noise', () => {
  const rates = new CpuRates();
  rates.rate('c1', 10n * second, 0n);
  rates.rate('c1', 12n * second, second);

  assert.equal(rates.rate('c1', 12n * second + 1000n, second + 900n), second / 2n);
  assert.equal(rates.rate('c1', 14n * second, 3n * second), second, 'and does not move the window');
});

test('a counter or clock that went back begins anew; cgroups are kept apart', () => {
  const rates = new CpuRates();
  rates.rate('c1', 10n * second, 5n * second);

  assert.equal(rates.rate('c1', 12n * second, second), undefined);
  assert.equal(rates.rate('c2', 12n * second, second), undefined);
  rates.forget('c1');
  assert.equal(rates.rate('c1', 20n * second, 9n * second), undefined);
});
