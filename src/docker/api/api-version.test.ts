import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAtLeast, negotiate, newestApi } from './api-version.ts';

test('versions are compared by their numbers', () => {
  assert.deepEqual([isAtLeast('1.41', '1.41'), isAtLeast('1.5', '1.41'), isAtLeast('2.0', '1.41'), isAtLeast('1.40', '1.41')], [true, false, true, false]);
});

test('the newest version is spoken that both know', () => {
  const rows = [['1.41', '1.12', '1.41'], ['1.47', '1.24', '1.47'], ['1.99', '1.44', newestApi]] as const;

  for (const [ApiVersion, MinAPIVersion, spoken] of rows) assert.equal(negotiate({ Version: '1', ApiVersion, MinAPIVersion }), spoken);
});

test('an Engine that is too old, too new or says nothing is refused with what to do', () => {
  const rows = [
    [{ Version: '19.03.15', ApiVersion: '1.40' }, /^use Docker Engine 19\.03\.15: it speaks API 1\.40, and gantry needs 1\.41 or newer: update it to Docker 20\.10 or newer, or take engine = "native"$/],
    [{ Version: '99', ApiVersion: '1.99', MinAPIVersion: '1.90' }, /^use Docker Engine 99: it speaks API 1\.90 and newer only, and this gantry knows up to 1\.51: update gantry$/],
    [{ Version: '1', ApiVersion: '' }, /it does not say which API it speaks \(""\)$/],
  ] as const;

  for (const [identity, message] of rows) assert.throws(() => negotiate(identity), { kind: 'failed-precondition', message });
});
