import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InFlight } from './in-flight.ts';

const inFlight = (callsAMethod: number, bytes = 1e6): InFlight => new InFlight({ callsAMethod, bytes });
const method = (name: string, endless = false) => ({ name, endless });

test('a method over its limit is refused while others are not', () => {
  const calls = inFlight(2);
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

test('large requests have a limit for all of them together, small ones always pass', () => {
  const calls = inFlight(9, 200_000);
  const first = new AbortController();
  calls.enter(method('CreateContainer'), first, 150_000);

  const refused = {
    kind: 'resource-exhausted',
    message: 'RunPodSandbox: the requests that are being answered have 150000 bytes, and with the 60000 of this one more than 200000; ask again when some are done',
  };
  assert.throws(() => calls.enter(method('RunPodSandbox'), new AbortController(), 60_000), refused);
  calls.enter(method('RunPodSandbox'), new AbortController(), 50_000);
  calls.enter(method('StopPodSandbox'), new AbortController(), 100);

  calls.leave(first);
  calls.enter(method('RunPodSandbox'), new AbortController(), 60_000);
});

test('idle comes with the last call that leaves, and a refused one counts for nothing', async () => {
  const calls = inFlight(1);
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
  const calls = inFlight(1);
  const call = new AbortController();
  calls.enter(method('A'), call);

  calls.abortAll(new Error('stopping'));

  assert.equal((call.signal.reason as Error).message, 'stopping');
});

test('those that would never end by themselves are aborted alone', () => {
  const calls = inFlight(2);
  const [call, watch] = [new AbortController(), new AbortController()];
  calls.enter(method('ExecSync'), call);
  calls.enter(method('WatchPulls', true), watch);

  calls.abortEndless(new Error('stopping'));

  assert.deepEqual([call.signal.aborted, watch.signal.aborted], [false, true]);
});

test('answers that are not taken have a limit for all of them together; each message of a stream takes the place of the one before', () => {
  const calls = new InFlight({ callsAMethod: 9, bytes: 100_000 });
  const [stream, list] = [new AbortController(), new AbortController()];
  calls.enter(method('StreamContainers'), stream);
  calls.enter(method('ListContainers'), list);

  for (let message = 0; message < 5; message++) calls.holdAnswer(stream, 60_000);

  assert.throws(() => calls.holdAnswer(list, 40_001), {
    kind: 'resource-exhausted',
    message: 'ListContainers: the answers that callers have not taken yet have 60000 bytes, and with the 40001 of this one more than 100000; take them, or ask again later',
  });
  calls.holdAnswer(list, 16_384); // a small one always passes
  calls.leave(stream);
  calls.holdAnswer(list, 100_000);
  calls.leave(list);
  calls.holdAnswer(list, 1_000_000); // who has left holds nothing
});
