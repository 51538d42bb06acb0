import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { whiteoutBlocks } from './whiteout-tar.ts';

test('deletions are empty files with a prefix, whatever the length of their paths, and another tar can follow', () => {
  const long = `${'d'.repeat(90)}/ö/${'n'.repeat(100)}`;
  const blocks = [...whiteoutBlocks(['etc/group', long, 'top'])];

  const tar = Buffer.concat([...blocks, Buffer.alloc(1024)]);

  assert.equal(tar.length % 512, 0);
  assert.deepEqual(execFileSync('tar', ['-tf', '-', '--quoting-style=literal'], { input: tar, encoding: 'utf8' }).trim().split('\n'), ['etc/.wh.group', `${'d'.repeat(90)}/ö/.wh.${'n'.repeat(100)}`, '.wh.top']);
});
