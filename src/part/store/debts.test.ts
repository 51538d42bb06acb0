import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields, Logger } from '../../base/log.ts';
import { Debts } from './debts.ts';

function debtsAt(clock: { now: number }): { debts: Debts; lines: unknown[] } {
  const lines: unknown[] = [];
  const line = (level: string) => (message: string, fields: LogFields = {}): void => void lines.push([level, message, fields]);
  const log: Logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error'), with: () => log };
  return { debts: new Debts({ log, now: () => clock.now }), lines };
}

const network = { owner: 'pod', what: 'network' };

test('a debt is told once with what it waits for, and once when it is paid', () => {
  const clock = { now: 0 };
  const { debts, lines } = debtsAt(clock);

  debts.owed('1', network, new Error('the plugin is not there'));
  debts.owed('1', network, new Error('the plugin is still not there'));
  clock.now = 7000;
  debts.paid('1');
  debts.paid('1');

  assert.deepEqual(lines, [
    ['warn', 'cannot undo this yet, it is tried again until it is gone', { ...network, waitsFor: 'the plugin is not there' }],
    ['info', 'undone at last', { ...network, tries: 3, afterMs: 7000 }],
  ]);
  assert.deepEqual(debts.all(), []);
});

test('what was never owed is no news when it is paid', () => {
  const { debts, lines } = debtsAt({ now: 0 });

  debts.paid('1');

  assert.deepEqual(lines, []);
});

test('the pause between two tries doubles, up to five minutes', () => {
  const clock = { now: 1_000_000 };
  const { debts } = debtsAt(clock);
  const pauses = Array.from({ length: 11 }, () => {
    debts.owed('1', network, new Error('no'));
    return (debts.all()[0]!.nextTry - clock.now) / 1000;
  });

  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
});

test('an owner is due when it owes nothing yet, and when the first of its pauses is over', () => {
  const clock = { now: 0 };
  const { debts } = debtsAt(clock);
  assert.ok(debts.isDue('pod'));

  debts.owed('1', network, new Error('no'));
  debts.owed('2', { owner: 'pod', what: 'cgroup' }, new Error('no'));
  debts.owed('2', { owner: 'pod', what: 'cgroup' }, new Error('no'));

  assert.ok(!debts.isDue('pod'));
  assert.ok(debts.isDue('other'));
  clock.now = 1000;
  assert.ok(debts.isDue('pod'));
});
