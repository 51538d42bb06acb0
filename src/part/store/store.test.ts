import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { openStore } from './store.ts';

let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'gantry-store-')); });
afterEach(() => rmSync(folder, { recursive: true }));

test('a record outlives the process, 64-bit integers and bytes included', () => {
  const first = openStore(join(folder, 'db'));
  first.table('pod').put('a', { big: 2n ** 60n, bytes: Buffer.from([0, 255]), text: 'é' });
  first.close();

  const again = openStore(join(folder, 'db'));

  assert.deepEqual(again.table('pod').get('a'), { big: 2n ** 60n, bytes: Buffer.from([0, 255]), text: 'é' });
  again.close();
});

test('a deleted record is gone, here and after a restart', () => {
  const first = openStore(join(folder, 'db'));
  const table = first.table('pod');
  table.put('a', 1);
  table.delete('a');
  assert.equal(table.get('a'), undefined);
  first.close();

  const again = openStore(join(folder, 'db'));
  assert.deepEqual(again.table('pod').all(), []);
  again.close();
});

test('a transaction that throws changes neither the file nor what is read', () => {
  const store = openStore(join(folder, 'db'));
  const table = store.table<number>('pod');
  table.put('kept', 1);
  const seq = store.ledger.intend('owner', 'mount', {});

  assert.throws(() => store.transaction(() => {
    table.put('kept', 2);
    table.put('new', 3);
    store.ledger.clear(seq);
    throw new Error('no');
  }), /no/);

  assert.equal(table.get('kept'), 1);
  assert.equal(table.get('new'), undefined);
  assert.equal(store.ledger.rows('owner').length, 1);
  store.close();
  const again = openStore(join(folder, 'db'));
  assert.deepEqual(again.table('pod').all(), [1]);
  assert.equal(again.ledger.rows().length, 1);
  again.close();
});

test('the ledger gives an owner\'s rows newest first and remembers them over a restart', () => {
  const first = openStore(join(folder, 'db'));
  first.ledger.intend('pod', 'directory', { path: '/a' });
  first.ledger.intend('other', 'directory', { path: '/b' });
  const network = first.ledger.intend('pod', 'network', { n: 1n });
  first.close();

  const again = openStore(join(folder, 'db'));

  assert.deepEqual(again.ledger.rows('pod').map((row) => row.kind), ['network', 'directory']);
  assert.deepEqual(again.ledger.rows('pod')[0]!.data, { n: 1n });
  again.ledger.clear(network);
  assert.deepEqual(again.ledger.owners(), ['pod', 'other']);
  assert.ok(again.ledger.intend('pod', 'x', null) > network, 'numbers are never used twice');
  again.close();
});

test('a store written by a newer Gantry is refused and left alone', () => {
  const path = join(folder, 'db');
  const newer = new DatabaseSync(path);
  newer.exec('PRAGMA user_version = 99');
  newer.close();

  assert.throws(() => openStore(path), (error) => isKind(error, 'failed-precondition') && /written by a newer Gantry \(layout 99/.test(String(error)));

  const check = new DatabaseSync(path);
  assert.equal(check.prepare('PRAGMA user_version').get()?.['user_version'], 99);
  check.close();
});

test('CVE-2024-25621: nobody else can read the store, whose records hold secrets of containers', () => {
  const path = join(folder, 'db');
  openStore(path).close();
  chmodSync(path, 0o644); // as something left it

  const store = openStore(path);
  store.table('pod').put('a', 1);

  for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  store.close();
});

test('keys that look like the tags of numbers and bytes come back as the keys they are', () => {
  const labels = { $bigint: 'no number', $bytes: 'AAAA', $$bigint: '1', $: '', plain: 'x' };
  const values = [labels, { $bigint: '7' }, { nested: { $bytes: '' }, n: 7n }];
  const first = openStore(join(folder, 'db'));
  for (const [n, value] of values.entries()) first.table(`t${'abc'[n]}`).put('a', value);
  first.close();

  const again = openStore(join(folder, 'db'));

  for (const [n, value] of values.entries()) assert.deepEqual(again.table(`t${'abc'[n]}`).get('a'), value);
  again.close();
});
