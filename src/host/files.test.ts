import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { makePrivateDir, removeTree, replaceContent, writeFileAtomic } from './files.ts';

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

test('a file of somebody else keeps its mode and its owner, whatever the umask', async () => {
  const file = join(folder, 'a');
  writeFileSync(file, 'old');
  chmodSync(file, 0o666);
  const { uid, gid } = statSync(file);

  await replaceContent(file, 'new');
  await replaceContent(join(folder, 'b'), 'fresh');

  const stats = statSync(file);
  assert.deepEqual([readFileSync(file, 'utf8'), stats.mode & 0o7777, stats.uid, stats.gid], ['new', 0o666, uid, gid]);
  assert.deepEqual([readFileSync(join(folder, 'b'), 'utf8'), readdirSync(folder)], ['fresh', ['a', 'b']]);
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
