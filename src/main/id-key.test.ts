import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { idKey } from './id-key.ts';

test('the key is made once and kept to ourselves; one that was cut short is made anew', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'id-key-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'id-key');

  const key = await idKey(file);

  assert.match(key, /^[0-9a-f]{64}$/);
  assert.equal(await idKey(file), key);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, key.slice(0, 20));
  assert.notEqual((await idKey(file)).slice(0, 20), key.slice(0, 20));
});
