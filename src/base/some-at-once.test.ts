import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { someAtOnce } from './some-at-once.ts';

test('everything is done, at most eight at a time', async () => {
  let [running, most] = [0, 0];
  const done: number[] = [];

  await someAtOnce(Array.from({ length: 30 }, (_, n) => n), async (n) => {
    most = Math.max(most, ++running);
    await sleep(2);
    running--;
    done.push(n);
  });

  assert.equal(most, 8);
  assert.deepEqual(done.toSorted((a, b) => a - b), Array.from({ length: 30 }, (_, n) => n));
});

test('one that takes long holds up only its own lane', async () => {
  const done: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();

  const all = someAtOnce([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], async (n) => {
    if (n === 0) await promise;
    done.push(n);
  });
  await sleep(5);

  assert.equal(done.length, 11);
  resolve();
  await all;
  assert.equal(done.at(-1), 0);
});
