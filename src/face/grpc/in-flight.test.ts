import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InFlight } from './in-flight.ts';

const method = (name: string, endless = false) => ({ name, endless });

test('a method over its limit is refused while others are not', () => {
  const calls = new InFlight(2);
  const first = new AbortController();
  calls.enter(method('ExecSync'), first);
  calls.enter(method('ExecSync'), new AbortController());

  const refused = { kind: 'resource-exhausted', message: 'ExecSync: 2 such calls are being answered already; ask again when some are done' };
  assert.throws(() => calls.enter(method('ExecSync'), new AbortController()), refused);
  calls.enter(method('Version'), new AbortController());
  assert.equal(calls.count, 3);

  calls.leave(first);
  calls.leave(first);
  calls.enter(method('ExecSync'), new AbortController());
  assert.throws(() => calls.enter(method('ExecSync'), new AbortController()), refused);
});

test('idle comes with the last call that leaves, and a refused one counts for nothing', async () => {
  const calls = new InFlight(1);
  await calls.idle();
  const [one, refused] = [new AbortController(), new AbortController()];
  calls.enter(method('A'), one);
  assert.throws(() => calls.enter(method('A'), refused));
  calls.leave(refused);
  let idle = false;
  const waiting = calls.idle().then(() => (idle = true));

  await Promise.resolve();
  assert.equal(idle, false);
  calls.leave(one);
  await waiting;
  assert.equal(calls.count, 0);
});

test('all are aborted with the reason', () => {
  const calls = new InFlight(1);
  const call = new AbortController();
  calls.enter(method('A'), call);

  calls.abortAll(new Error('stopping'));

  assert.equal((call.signal.reason as Error).message, 'stopping');
});

test('those that would never end by themselves are aborted alone', () => {
  const calls = new InFlight(2);
  const [call, watch] = [new AbortController(), new AbortController()];
  calls.enter(method('ExecSync'), call);
  calls.enter(method('WatchPulls', true), watch);

  calls.abortEndless(new Error('stopping'));

  assert.deepEqual([call.signal.aborted, watch.signal.aborted], [false, true]);
});
