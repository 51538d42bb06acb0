import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelMessage, kernelMessages } from './kernel-log.ts';

test('the text of a message comes without its numbers and its further lines', () => {
  assert.equal(kernelMessage('6,339,5140900,-;NET: a;b\n SUBSYSTEM=net\n DEVICE=n1\n'), 'NET: a;b');
  assert.equal(kernelMessage('4,7,0,-,caller=T1;\n'), '');
});

test('what programs write into the log is none of the kernel\'s', () => {
  for (const record of ['12,340,5140901,-;oom-kill:constraint=mine\n', 'not a record', '']) assert.equal(kernelMessage(record), undefined, record);
});

test('a log that is not there has no messages', () => {
  assert.deepEqual(kernelMessages('/nowhere/kmsg'), []);
});
