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
  const ask = (): Promise<void> => (asked++, onDisk());

  const first = [ask(), ask()];
  while (starts.length === 0) await sleep(1);
  const later = Array.from({ length: 10 }, ask);
  await Promise.all([...first, ...later]);

  assert.deepEqual(starts, [2, 12]);
});

test('a failed sync fails all who were writing then, not those who begin after it', async () => {
  let runs = 0;
  const group = new SyncGroup(async () => {
    const run = runs++;
    await sleep(5);
    if (run === 0) throw new Error('disk');
  });
  const [one, two] = [group.writing(), group.writing()];

  const first = assert.rejects(one(), /disk/);
  while (runs === 0) await sleep(1);
  const second = two();

  await first;
  await assert.rejects(second, /disk/, 'its own sync went well, but its bytes may be what the first could not write');
  await group.writing()();
  assert.equal(runs, 3);
});
