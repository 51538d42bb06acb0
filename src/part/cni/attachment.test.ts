import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isKind } from '../../base/errors.ts';
import { argsText, validateKey } from './attachment.ts';

const refused = (why: RegExp) => (error: unknown) => isKind(error, 'invalid-argument') && why.test((error as Error).message);

test('arguments become one line in order', () => {
  assert.equal(argsText({ IgnoreUnknown: '1', K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'web-0' }), 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0');
});

test('a pod name cannot smuggle in a further argument', () => {
  assert.throws(() => argsText({ K8S_POD_NAME: 'web;K8S_POD_UID=other' }), refused(/"K8S_POD_NAME=web;K8S_POD_UID=other"/));
  assert.throws(() => argsText({ K8S_POD_NAME: 'web=1' }), refused(/"K8S_POD_NAME=web=1"/));
  assert.throws(() => argsText({ 'A=B': 'x' }), refused(/neither name nor value/));
});

test('keys that the specification forbids are refused, and so never become file names', () => {
  assert.doesNotThrow(() => validateKey({ containerId: 'a'.repeat(64), ifName: 'eth0' }));
  for (const containerId of ['', '.hidden', '../up', 'a/b', 'a:b', 'a'.repeat(129)]) assert.throws(() => validateKey({ containerId, ifName: 'eth0' }), refused(/container id/));
  for (const ifName of ['', '.', '..', 'a/b', 'a:b', 'a b', 'sixteen-letters-']) assert.throws(() => validateKey({ containerId: 'a', ifName }), refused(/interface name/));
});
