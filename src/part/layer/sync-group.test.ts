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
  const onDisk = group.writing();

  const first = (asked++, onDisk());
  const later = Array.from({ length: 10 }, () => (asked++, onDisk()));
  await Promise.all([first, ...later]);

  assert.deepEqual(starts, [1, 11]);
});

test('a failed sync fails all who were writing then, not those who begin after it', async () => {
  let runs = 0;
  const group = new SyncGroup(async () => {
    await sleep(1);
    if (runs++ === 0) throw new Error('disk');
  });
  const [one, two] = [group.writing(), group.writing()];

  const first = one();
  const second = two();

  await assert.rejects(first, /disk/);
  await assert.rejects(second, /disk/, 'its own sync went well, but its bytes may be what the first could not write');
  await group.writing()();
  assert.equal(runs, 3);
});

test('a sync ahead runs beside the writing, one at a time, and does not stand for the one at the end', async () => {
  const ends: (() => void)[] = [];
  const group = new SyncGroup(() => new Promise((resolve) => ends.push(resolve)));
  const onDisk = group.writing();

  group.ahead();
  group.ahead();
  assert.equal(ends.length, 1);
  const waiting = onDisk();
  ends[0]!();
  while (ends.length < 2) await sleep(1);
  ends[1]!();
  await waiting;

  assert.equal(ends.length, 2);
});

test('the failure of a sync ahead is told at the end to those who were writing', async () => {
  let runs = 0;
  const group = new SyncGroup(async () => {
    if (runs++ === 0) throw new Error('disk');
  });
  const before = group.writing();

  group.ahead();
  await sleep(0);
  const after = group.writing();

  await assert.rejects(before(), /disk/);
  await after();
});
