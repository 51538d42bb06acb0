import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExitSignals } from './exit-signals.ts';

test('everybody who waits for a container is woken by its end, and nobody else', async () => {
  const signals = new ExitSignals();
  const waiting = [signals.wait('a', 10_000), signals.wait('a', 10_000)];
  const other = signals.wait('b', 30);

  signals.announce('a');

  assert.deepEqual(await Promise.all(waiting), [true, true]);
  assert.equal(await other, false);
});

test('a wait ends with its time or with its caller', async () => {
  const signals = new ExitSignals();
  const abort = new AbortController();
  const abandoned = signals.wait('a', 10_000, abort.signal);

  abort.abort();

  assert.equal(await abandoned, false);
  assert.equal(await signals.wait('a', 5), false);
  assert.equal(await signals.wait('a', 10_000, AbortSignal.abort()), false);
});
