import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Checkpoints } from './checkpoints.ts';
import { tellWhyStopped } from './tell-why-stopped.ts';

const never = new AbortController().signal;
const aborted = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => {
  if (signal.aborted) reject(signal.reason as Error);
  signal.addEventListener('abort', () => reject(signal.reason as Error));
});

test('a container has one checkpoint at a time, and others have theirs', async () => {
  const checkpoints = new Checkpoints();
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = checkpoints.run({ id: 'k1', containers: ['a', 'b'] }, () => promise);

  await assert.rejects(checkpoints.run({ id: 'k2', containers: ['c', 'b'] }, async () => {}), { kind: 'failed-precondition', message: 'checkpoint container b: another checkpoint of it is being taken: try again when that is done' });
  await checkpoints.run({ id: 'k3', containers: ['c'] }, async () => assert.ok(checkpoints.has('k1')));
  resolve();
  await first;
  assert.equal(checkpoints.has('k1'), false);
  await checkpoints.run({ id: 'k4', containers: ['b'] }, async () => {});
});

test('who ends a container breaks its checkpoint off, and waits until that is undone', async () => {
  const checkpoints = new Checkpoints();
  const happened: string[] = [];
  const running = checkpoints.run({ id: 'k', containers: ['a'] }, async (stop) => {
    await aborted(stop).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    happened.push('undone');
    throw new Error('given up');
  });
  const told = assert.rejects(running, /given up/);

  await checkpoints.end('other');
  await checkpoints.end('a');
  happened.push('ended');

  assert.deepEqual(happened, ['undone', 'ended']);
  await told;
  await checkpoints.end('a');
});

test('whatever a stopped checkpoint fails with, the caller learns who stopped it', async () => {
  const stopped = AbortSignal.abort();

  await assert.rejects(tellWhyStopped({ stop: stopped, caller: never, seconds: 60 }, aborted), { kind: 'failed-precondition', message: 'checkpoint container: it is being stopped' });
  await assert.rejects(tellWhyStopped({ stop: never, caller: stopped, seconds: 60 }, aborted), { kind: 'cancelled', message: 'checkpoint container: the caller went away, and it was given up; the container goes on' });
  await assert.rejects(tellWhyStopped({ stop: never, caller: never, seconds: 0.01 }, aborted), { kind: 'deadline-exceeded', message: 'checkpoint container: it was not done within 0.01 s, and was given up; the container goes on' });
  await assert.rejects(tellWhyStopped({ stop: never, caller: never, seconds: 60 }, async () => { throw new Error('its own'); }), /its own/);
  assert.equal(await tellWhyStopped({ stop: never, caller: never, seconds: 60 }, async () => 'done'), 'done');
});
