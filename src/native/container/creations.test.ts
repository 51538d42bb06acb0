import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Creations } from './creations.ts';

test('the end of a pod breaks off what is made in it, waits for the undo, and leaves other pods alone', async () => {
  const creations = new Creations();
  const events: string[] = [];
  const make = (id: string, podId: string): Promise<void> => creations.run({ id, podId }, async (signal) => {
    while (!signal.aborted && id !== 'other') await sleep(1);
    if (id === 'other') await sleep(30);
    await sleep(5);
    events.push(`${id} undone`);
    throw new Error('broken off');
  });
  const making = Promise.allSettled([make('one', 'pod'), make('two', 'pod'), make('other', 'another pod')]);

  await creations.endAllOf('pod');

  assert.deepEqual(events, ['one undone', 'two undone']);
  assert.deepEqual(['one', 'two', 'other'].map((id) => creations.has(id)), [false, false, true]);
  await making;
  assert.equal(creations.has('other'), false);
});
