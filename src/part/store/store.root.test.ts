import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { libc, MNT_DETACH } from '../../host/libc.ts';
import { openStore } from './store.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

function smallDisk(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-store-'));
  libc.mount('tmpfs', folder, 'tmpfs', 0, 'size=512k');
  t.after(() => {
    libc.umount2(folder, MNT_DETACH);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

test('a full disk is said so and changes nothing; with room again the store goes on', { skip }, (t) => {
  const folder = smallDisk(t);
  const path = join(folder, 'db');
  const store = openStore(path);
  const table = store.table<string>('pod');
  table.put('kept', 'old');
  const seq = store.ledger.intend('owner', 'mount', {});
  assert.throws(() => writeFileSync(join(folder, 'ballast'), Buffer.alloc(1 << 20)), /ENOSPC/);
  const big = 'x'.repeat(50_000);
  const isFull = (error: unknown): boolean => isKind(error, 'resource-exhausted') && /^write to store .*db: its disk is full: make room there$/.test((error as Error).message);

  assert.throws(() => table.put('kept', big), isFull);
  assert.throws(() => store.ledger.intend('owner', 'mount', { big }), isFull);
  assert.throws(() => store.transaction(() => {
    store.ledger.clear(seq);
    table.put('kept', big);
  }), isFull);

  assert.equal(table.get('kept'), 'old');
  assert.deepEqual(store.ledger.rows().map((row) => row.seq), [seq]);
  rmSync(join(folder, 'ballast'));
  table.put('kept', 'new');
  store.close();
  const again = openStore(path);
  assert.equal(again.table('pod').get('kept'), 'new');
  assert.equal(again.ledger.rows().length, 1);
  again.close();
});
