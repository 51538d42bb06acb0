import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { kernelMessages } from './kernel-log.ts';

test('the log of this kernel is read to its end, without waiting for more', (t) => {
  if (!existsSync('/dev/kmsg')) return t.skip('there is no /dev/kmsg here');

  const messages = kernelMessages();

  assert.ok(messages.length > 0);
  assert.deepEqual(messages.filter((text) => /^\d+,/.test(text)), []);
});
