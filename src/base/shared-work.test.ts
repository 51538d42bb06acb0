import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SharedWork } from './shared-work.ts';

const never = new AbortController().signal;

test('callers of one key share one run, others have their own', async () => {
  const work = new SharedWork<string>();
  let runs = 0;
  const run = (key: string): Promise<string> => work.run(key, never, async () => {
    runs++;
    await sleep(5);
    return key;
  });

  assert.deepEqual(await Promise.all([run('a'), run('a'), run('b')]), ['a', 'a', 'b']);
  assert.equal(runs, 2);
  assert.equal(await run('a'), 'a');
  assert.equal(runs, 3);
});

test('a caller that goes away does not disturb the others', async () => {
  const work = new SharedWork<string>();
  const leaving = new AbortController();
  const slow = async (signal: AbortSignal): Promise<string> => {
    await sleep(20, undefined, { signal });
    return 'done';
  };

  const first = work.run('a', leaving.signal, slow);
  const second = work.run('a', never, slow);
  leaving.abort();

  await assert.rejects(first, { kind: 'cancelled' });
  assert.equal(await second, 'done');
});

test('when the last caller has gone the work is aborted, and starts afresh for the next', async () => {
  const work = new SharedWork<string>();
  const leaving = new AbortController();
  let undone = false;
  const first = work.run('a', leaving.signal, async (signal) => {
    await sleep(10_000, undefined, { signal }).catch(() => {});
    await sleep(10);
    undone = true;
    return 'old';
  });

  leaving.abort();
  await assert.rejects(first, { kind: 'cancelled' });

  assert.ok(undone, 'the last to go sees the work undone');
  assert.equal(await work.run('a', never, async () => 'new'), 'new');
});

test('an error is everyone\'s, and is not kept', async () => {
  const work = new SharedWork<string>();
  const fail = async (): Promise<string> => {
    await sleep(1);
    throw new Error('no');
  };

  const both = [work.run('a', never, fail), work.run('a', never, fail)];

  for (const one of both) await assert.rejects(one, /no/);
  assert.equal(await work.run('a', never, async () => 'yes'), 'yes');
});
