import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SingleFlight } from './single-flight.ts';

test('callers under one key share the call in flight and its result', async () => {
  const flight = new SingleFlight<number>();
  let runs = 0;
  const work = async (): Promise<number> => {
    runs += 1;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return runs;
  };

  assert.deepEqual(await Promise.all([flight.run('a', work), flight.run('a', work), flight.run('b', work)]), [2, 2, 2]);
  assert.equal(runs, 2);
  assert.equal(await flight.run('a', work), 3, 'a finished call is not remembered');
});

test('a failure reaches every caller, and the next call tries again', async () => {
  const flight = new SingleFlight<number>();
  const failing = async (): Promise<number> => { throw new Error('no'); };

  const results = await Promise.allSettled([flight.run('a', failing), flight.run('a', failing)]);

  assert.deepEqual(results.map((result) => result.status), ['rejected', 'rejected']);
  assert.equal(await flight.run('a', async () => 1), 1);
});
