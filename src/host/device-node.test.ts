import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { deviceNumbers, deviceOf } from './device-node.ts';

test('a device is told by its kind and numbers; a file and a directory are none', () => {
  assert.deepEqual(deviceOf(statSync('/dev/zero')), { type: 'c', major: 1, minor: 5, mode: 0o666, uid: 0, gid: 0 });
  assert.equal(deviceOf(statSync('/dev')), undefined);
  assert.equal(deviceOf(statSync(import.meta.filename)), undefined);
});

test('device numbers of more than eight bits are taken apart', () => {
  assert.deepEqual(deviceNumbers(0x0105n), { major: 1, minor: 5 });
  assert.deepEqual(deviceNumbers(0x0010_0a03n), { major: 10, minor: 0x103 });
  assert.deepEqual(deviceNumbers(0x1230_fd45n), { major: 0xfd, minor: 0x1_2345 });
  assert.deepEqual(deviceNumbers(0x0000_1000_0000_0101n), { major: 0x1001, minor: 1 });
});
