import assert from 'node:assert/strict';
import { test } from 'node:test';
import { McsLevels } from './mcs-levels.ts';

test('every pod gets a pair of categories of its own, until all pairs are taken', () => {
  const records: string[] = [];
  const levels = new McsLevels({ categories: 5, inUse: () => records, random: () => 7 });

  for (let pod = 0; pod < 10; pod++) {
    records.push(levels.reserve(`pod-${pod}`, 's0'));
    levels.settle(`pod-${pod}`);
  }

  assert.equal(new Set(records).size, 10);
  for (const level of records) {
    const [, one, other] = /^s0:c(\d),c(\d)$/.exec(level) ?? [];
    assert.ok(Number(one) < Number(other) && Number(other) < 5, level);
  }
  assert.throws(() => levels.reserve('pod-10', 's0'), { kind: 'resource-exhausted', message: 'choose SELinux categories: all 10 pairs are taken by pods; raise security.selinux_categories' });
  records.splice(3, 1);
  assert.match(levels.reserve('pod-10', 's0'), /^s0:/);
});

test('a level is not given twice while its pod is in the making, and is free again when that failed', () => {
  const levels = new McsLevels({ categories: 1024, inUse: () => [], random: () => 0 });

  assert.equal(levels.reserve('one', 's0'), 's0:c0,c1');
  assert.equal(levels.reserve('two', 's0'), 's0:c0,c2');
  levels.settle('one');
  assert.equal(levels.reserve('three', 's0'), 's0:c0,c1');
});

test('a pair that a pod asked for itself, whatever its sensitivity, is not given to another', () => {
  assert.equal(new McsLevels({ categories: 1024, inUse: () => ['s0-s3:c0,c1'], random: () => 0 }).reserve('pod', 's0'), 's0:c0,c2');
});

test('the whole range is used, to its end', () => {
  const last = (categories: number): string => new McsLevels({ categories, inUse: () => [], random: (below) => below - 1 }).reserve('pod', 's0');

  assert.equal(last(1024), 's0:c1022,c1023');
  assert.equal(last(2), 's0:c0,c1');
});
