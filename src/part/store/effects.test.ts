import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { Debts } from './debts.ts';
import { Effects } from './effects.ts';
import type { UndoOrder } from './effects.ts';
import { openStore } from './store.ts';
import type { Store } from './store.ts';

let folder = '';
let store: Store;
let undone: string[] = [];
let broken = new Set<string>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-effects-'));
  store = openStore(join(folder, 'db'));
  undone = [];
  broken = new Set();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function effectsOf(kinds: readonly string[], order: UndoOrder = {}): Effects {
  const undo = (kind: string) => (data: { n: number }, owner: string) => {
    if (broken.has(kind)) throw new Error(`${kind} is busy`);
    undone.push(`${owner} ${kind} ${data.n}`);
  };
  return new Effects({ ledger: store.ledger, debts: new Debts({ log: silentLogger }), undos: Object.fromEntries(kinds.map((kind) => [kind, undo(kind)])), order });
}

test('effects are undone newest first and forgotten', async () => {
  const effects = effectsOf(['mount', 'network']);
  await effects.make({ owner: 'pod', kind: 'mount', data: { n: 1 } }, () => {});
  await effects.make({ owner: 'pod', kind: 'network', data: { n: 2 } }, () => {});
  await effects.make({ owner: 'other', kind: 'mount', data: { n: 3 } }, () => {});

  await effects.undo('pod');

  assert.deepEqual(undone, ['pod network 2', 'pod mount 1']);
  assert.deepEqual(effects.owners(), ['other']);
});

test('the intent is on record before the effect is made, and stays when making it fails', async () => {
  const effects = effectsOf(['mount']);

  await assert.rejects(effects.make({ owner: 'pod', kind: 'mount', data: { n: 1 } }, () => {
    assert.equal(store.ledger.rows('pod').length, 1);
    throw new Error('no');
  }), /no/);

  await effects.undo('pod');
  assert.deepEqual(undone, ['pod mount 1']);
});

test('an undo that fails keeps its row and what it stands on, and the next try finishes', async () => {
  const effects = effectsOf(['mount', 'network', 'cgroup']);
  for (const [n, kind] of ['mount', 'network', 'cgroup'].entries()) await effects.make({ owner: 'pod', kind, data: { n } }, () => {});
  broken.add('network');

  await assert.rejects(effects.undo('pod'), /undo network of pod: network is busy/);
  assert.deepEqual(undone, ['pod cgroup 2']);
  assert.deepEqual(store.ledger.rows('pod').map((row) => row.kind), ['network', 'mount']);

  broken.clear();
  await effects.undo('pod');
  assert.deepEqual(undone, ['pod cgroup 2', 'pod network 1', 'pod mount 0']);
  assert.deepEqual(store.ledger.rows('pod'), []);
});

test('what does not stand on an effect that stays is undone all the same', async () => {
  const effects = effectsOf(['directory', 'shm', 'namespaces', 'network'], { network: [], namespaces: ['network'], shm: [] });
  for (const [n, kind] of ['directory', 'shm', 'namespaces', 'network'].entries()) await effects.make({ owner: 'pod', kind, data: { n } }, () => {});
  broken.add('network');

  await assert.rejects(effects.undo('pod'), /undo network of pod: network is busy/);

  assert.deepEqual(undone, ['pod shm 1']);
  assert.deepEqual([...effects.pending().get('pod')!], ['network', 'namespaces', 'directory']);
});

test('only the kinds asked for are undone', async () => {
  const effects = effectsOf(['mount', 'network']);
  await effects.make({ owner: 'pod', kind: 'mount', data: { n: 1 } }, () => {});
  await effects.make({ owner: 'pod', kind: 'network', data: { n: 2 } }, () => {});

  await effects.undo('pod', ['network']);

  assert.deepEqual(store.ledger.rows('pod').map((row) => row.kind), ['mount']);
});

test('kinds of another owner of the ledger are left alone', async () => {
  await effectsOf(['layer']).make({ owner: 'x', kind: 'layer', data: { n: 1 } }, () => {});
  const effects = effectsOf(['mount']);

  assert.deepEqual(effects.owners(), []);
  await effects.undo('x');

  assert.equal(store.ledger.rows('x').length, 1);
});

test('an effect whose kind has no undo is not made', async () => {
  await assert.rejects(effectsOf(['mount']).make({ owner: 'x', kind: 'other', data: {} }, () => assert.fail('made')), /effect other has no undo/);
});
