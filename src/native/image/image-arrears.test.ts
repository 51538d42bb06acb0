import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { Debts } from '../../part/store/debts.ts';
import { imageArrears } from './image-arrears.ts';

test('a layer that could not be removed is a debt until it can be', async () => {
  const left = new Set(['1a']);
  let busy = true;
  const layers = {
    leftBehind: () => [...left],
    async removeLeft(name: string) {
      if (busy) throw new Error('the disk does not answer');
      left.delete(name);
    },
  };
  const debts = new Debts({ log: silentLogger });

  await assert.rejects([...imageArrears(layers, debts)][0]!.pay(), /the disk does not answer/);
  assert.deepEqual(debts.all().map(({ owner, what, waitsFor }) => [owner, what, waitsFor]), [['1a', 'layer', 'the disk does not answer']]);

  busy = false;
  await [...imageArrears(layers, debts)][0]!.pay();
  assert.deepEqual([debts.all(), [...imageArrears(layers, debts)]], [[], []]);
});
