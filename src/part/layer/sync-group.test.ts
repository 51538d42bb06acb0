import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SyncGroup } from './sync-group.ts';

test('callers share a sync, but never one that began before they asked', async () => {
  const starts: number[] = [];
  let asked = 0;
  const group = new SyncGroup(async () => {
    starts.push(asked);
    await sleep(5);
  });

  const first = (asked++, group.wait());
  const later = Array.from({ length: 10 }, () => (asked++, group.wait()));
  await Promise.all([first, ...later]);

  assert.deepEqual(starts, [1, 11]);
});

test('a failed sync fails those who wait for it, not those after', async () => {
  let runs = 0;
  const group = new SyncGroup(async () => {
    await sleep(1);
    if (runs++ === 0) throw new Error('disk');
  });

  const first = group.wait();
  const second = group.wait();

  await assert.rejects(first, /disk/);
  await second;
});
