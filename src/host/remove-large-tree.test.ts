import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeLargeTree } from './remove-large-tree.ts';

test('a tree goes away whatever is in it, and may be gone already', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-remove-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [tree, deep] = [join(folder, '-tree'), join(folder, 'deep')];
  const names = Array.from({ length: 12 }, () => 'n'.repeat(250)).join('/');
  mkdirSync(join(deep, names), { recursive: true });
  mkdirSync(join(tree, names), { recursive: true });
  renameSync(deep, join(tree, names, 'deep')); // 6000 bytes, and a path has 4095 at most
  for (let n = 0; n < 50; n++) writeFileSync(join(tree, `f${n}`), '');

  await removeLargeTree(tree);
  await removeLargeTree(tree);

  assert.equal(existsSync(tree), false);
});

test('what cannot be removed is named', async () => {
  await assert.rejects(removeLargeTree('/proc/self/task'), { kind: 'internal', message: /^remove \/proc\/self\/task: .*cannot remove/ });
});
