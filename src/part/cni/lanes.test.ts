import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Lanes } from './lanes.ts';

/** Work that ends when told, and notes when it began and ended. */
function controlled(notes: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    end: resolve,
    work: async () => {
      notes.push(`+${name}`);
      await promise;
      notes.push(`-${name}`);
    },
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('one key runs in order and different keys at once', async () => {
  const notes: string[] = [];
  const lanes = new Lanes();
  const [first, second, other] = ['a1', 'a2', 'b1'].map((name) => controlled(notes, name)) as [ReturnType<typeof controlled>, ReturnType<typeof controlled>, ReturnType<typeof controlled>];

  const all = [lanes.inLane('a', first.work), lanes.inLane('a', second.work), lanes.inLane('b', other.work)];
  await settle();
  assert.deepEqual(notes, ['+a1', '+b1']);
  first.end();
  await settle();
  assert.deepEqual(notes, ['+a1', '+b1', '-a1', '+a2']);

  second.end();
  other.end();
  await Promise.all(all);
});

test('work that wants to be alone waits for what runs and holds up what comes', async () => {
  const notes: string[] = [];
  const lanes = new Lanes();
  const [before, alone, after] = ['before', 'alone', 'after'].map((name) => controlled(notes, name)) as [ReturnType<typeof controlled>, ReturnType<typeof controlled>, ReturnType<typeof controlled>];

  const all = [lanes.inLane('a', before.work), lanes.alone(alone.work), lanes.inLane('b', after.work)];
  await settle();
  assert.deepEqual(notes, ['+before']);
  before.end();
  await settle();
  assert.deepEqual(notes, ['+before', '-before', '+alone']);
  alone.end();
  after.end();
  await Promise.all(all);
  assert.deepEqual(notes.slice(3), ['-alone', '+after', '-after']);
});

test('a failure holds nobody up and reaches only its caller', async () => {
  const lanes = new Lanes();
  const failing = lanes.inLane('a', () => Promise.reject(new Error('mine')));
  const aloneFailing = lanes.alone(() => Promise.reject(new Error('mine too')));

  assert.equal(await lanes.inLane('a', () => Promise.resolve('fine')), 'fine');
  await assert.rejects(failing, /mine/);
  await assert.rejects(aloneFailing, /mine too/);
});
