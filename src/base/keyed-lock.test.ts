import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyedLock } from './keyed-lock.ts';

test('work under one key runs in order, one at a time; another key does not wait', async () => {
  const lock = new KeyedLock();
  const events: string[] = [];
  const work = (name: string, ms: number) => async (): Promise<void> => {
    events.push(`${name} in`);
    await sleep(ms);
    events.push(`${name} out`);
  };

  await Promise.all([lock.run('a', work('first', 20)), lock.run('a', work('second', 1)), lock.run('b', work('other', 5))]);

  assert.deepEqual(events, ['first in', 'other in', 'other out', 'first out', 'second in', 'second out']);
});

test('a failure lets the next one in', async () => {
  const lock = new KeyedLock();

  await assert.rejects(lock.run('a', async () => { throw new Error('no'); }), /no/);

  assert.equal(await lock.run('a', async () => 'in'), 'in');
});
