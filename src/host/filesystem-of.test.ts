import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesystemOf } from './filesystem-of.ts';

test('a path lies on the filesystem that is mounted nearest above it', async () => {
  const { mountPoint, sizeBytes, availableBytes } = await filesystemOf('/proc/self/fd');

  assert.equal(mountPoint, '/proc');
  assert.deepEqual([sizeBytes, availableBytes], [0n, 0n]);
});

test('a filesystem has a size, and no more room than that', async () => {
  const { sizeBytes, availableBytes } = await filesystemOf('/usr');

  assert.ok(sizeBytes > 0n && availableBytes >= 0n && availableBytes <= sizeBytes, `${availableBytes} of ${sizeBytes}`);
});
