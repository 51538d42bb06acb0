import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SandboxCpuTimes } from './sandbox-cpu-times.ts';

/** Answers that are given by hand. */
class Asked {
  readonly open: { readonly id: string; readonly answer: (time: bigint | undefined) => void; readonly fail: (error: Error) => void }[] = [];
  readonly ask = (id: string): Promise<bigint | undefined> => new Promise((answer, fail) => { this.open.push({ id, answer, fail }); });
}

test('four are asked at a time, and each place goes to the next also after a failure', async () => {
  const asked = new Asked();
  const times = new SandboxCpuTimes(asked.ask);

  const answers = Promise.allSettled(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id) => times.of(id)));
  await nextTurn();
  assert.deepEqual(asked.open.map(({ id }) => id), ['a', 'b', 'c', 'd']);
  asked.open[0]!.fail(new Error('hangs'));
  asked.open[2]!.answer(3n);
  await nextTurn();
  assert.deepEqual(asked.open.map(({ id }) => id), ['a', 'b', 'c', 'd', 'e', 'f']);
  for (const { answer } of asked.open) answer(7n);
  await nextTurn();
  asked.open.at(-1)!.answer(9n);

  assert.deepEqual((await answers).map((settled) => (settled.status === 'fulfilled' ? settled.value : 'failed')), ['failed', 7n, 3n, 7n, 7n, 7n, 9n]);
});

test('who asks for the same container meanwhile gets the same answer', async () => {
  const asked = new Asked();
  const times = new SandboxCpuTimes(asked.ask);

  const both = Promise.all([times.of('a'), times.of('a')]);
  await nextTurn();
  assert.equal(asked.open.length, 1);
  asked.open[0]!.answer(5n);

  assert.deepEqual(await both, [5n, 5n]);
});

test('a time never falls, until its container is removed', async () => {
  const told: (bigint | undefined)[] = [50n, 20n, undefined, 60n, 10n];
  const times = new SandboxCpuTimes(() => Promise.resolve(told.shift()));

  assert.deepEqual([await times.of('a'), await times.of('a'), await times.of('a'), await times.of('a')], [50n, 50n, undefined, 60n]);
  times.forget('a');
  assert.equal(await times.of('a'), 10n);
});
