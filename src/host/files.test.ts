import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { makePrivateDir, removeTree, writeFileAtomic } from './files.ts';

let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'gantry-files-')); });
afterEach(() => rmSync(folder, { recursive: true }));

test('a file is replaced as a whole, and nothing temporary stays', async () => {
  await writeFileAtomic(join(folder, 'a'), 'old');
  await writeFileAtomic(join(folder, 'a'), 'new', 0o640);

  assert.equal(readFileSync(join(folder, 'a'), 'utf8'), 'new');
  assert.equal(statSync(join(folder, 'a')).mode & 0o777, 0o640);
  assert.deepEqual(readdirSync(folder), ['a']);
});

test('a write that fails leaves the old file and no temporary one', async () => {
  mkdirSync(join(folder, 'a'));

  await assert.rejects(writeFileAtomic(join(folder, 'a'), 'x'));

  assert.deepEqual(readdirSync(folder), ['a']);
});

test('CVE-2021-41103: a directory that others could read is repaired', () => {
  mkdirSync(join(folder, 'd'));
  chmodSync(join(folder, 'd'), 0o755);

  makePrivateDir(join(folder, 'd'));

  assert.equal(statSync(join(folder, 'd')).mode & 0o777, 0o700);
});

test('removing a tree may be repeated', async () => {
  mkdirSync(join(folder, 'a/b/c'), { recursive: true });
  await removeTree(join(folder, 'a'));
  await removeTree(join(folder, 'a'));

  assert.deepEqual(readdirSync(folder), []);
});
