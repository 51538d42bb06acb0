import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../base/log.ts';
import type { Arrear } from '../../part/store/debts.ts';
import { Debts } from '../../part/store/debts.ts';
import { Reconciler } from './reconciler.ts';

const clock = { now: 0 };

test('containers go before pods, what fails waits for its pause, and the rest goes on', async () => {
  const debts = new Debts({ log: silentLogger, now: () => clock.now });
  const tried: string[] = [];
  const broken = new Set(['c1']);
  const arrear = (owner: string): Arrear => ({
    owner,
    async pay() {
      tried.push(owner);
      if (!broken.has(owner)) return debts.paid(owner);
      const error = new Error('busy');
      debts.owed(owner, { owner, what: 'mount' }, error);
      throw error;
    },
  });
  const reconciler = new Reconciler({ sources: [() => [arrear('c2'), arrear('c1')], () => [arrear('p1')]], debts });

  await reconciler.run();
  await reconciler.run();
  assert.deepEqual(tried.splice(0), ['c2', 'c1', 'p1', 'c2', 'p1'], 'c1 has a pause');

  clock.now += 1000;
  broken.clear();
  await reconciler.run();
  assert.deepEqual([tried, debts.all()], [['c2', 'c1', 'p1'], []]);
});

test('a start waits for the owners that it wants gone, and the others come with the next round', async () => {
  const paid: string[] = [];
  const arrear = (owner: string): Arrear => ({ owner, pay: async () => void paid.push(owner) });
  const reconciler = new Reconciler({ sources: [() => [arrear('ended'), arrear('cut short')]], debts: new Debts({ log: silentLogger }) });

  await reconciler.run((owner) => owner === 'cut short');
  assert.deepEqual(paid, ['cut short']);

  await reconciler.run();
  assert.deepEqual(paid.slice(1), ['ended', 'cut short']);
});

test('a round that hangs is joined, not doubled', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let rounds = 0;
  const source = (): Arrear[] => {
    rounds += 1;
    return [{ owner: 'c', pay: () => promise }];
  };
  const reconciler = new Reconciler({ sources: [source], debts: new Debts({ log: silentLogger }), everyMs: 1 });

  const first = reconciler.run();
  reconciler.start();
  await sleep(20);
  assert.equal(rounds, 1);
  resolve();
  await first;
  reconciler.close();
});
