import assert from 'node:assert/strict';
import { test } from 'node:test';
import { abandon, abandonedWork, onAbandoned } from './abandoned.ts';

test('what is left behind is told once, named and counted until it comes back, well or not', async () => {
  const told: unknown[] = [];
  const deaf = onAbandoned((what) => told.push(what));
  const [well, ill] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const before = abandonedWork();

  abandon({ act: 'find', object: '/dead/one' }, well.promise);
  deaf();
  abandon({ act: 'run program', object: '/stuck' }, ill.promise);

  assert.deepEqual(told, [{ act: 'find', object: '/dead/one' }]);
  assert.equal(abandonedWork().now, before.now + 2);
  assert.deepEqual(abandonedWork().oldest.at(-1), { act: 'run program', object: '/stuck', forSeconds: 0 });
  well.resolve();
  ill.reject(new Error('killed'));
  await well.promise;
  await new Promise((resolve) => { setImmediate(resolve); });
  assert.equal(abandonedWork().now, before.now);
  assert.equal(abandonedWork().total, before.total + 2);
});

test('however much is left behind, only the oldest are named', async () => {
  const over = Promise.withResolvers<void>();

  for (let n = 0; n < 30; n++) abandon({ act: 'find', object: `/dead/${n}` }, over.promise);

  assert.equal(abandonedWork().oldest.length, 20);
  assert.equal(abandonedWork().oldest[0]!.object, '/dead/0');
  over.resolve();
});
