import assert from 'node:assert/strict';
import { test } from 'node:test';
import { infoJson, messageJson, podJson } from './proto-json.ts';

test('messages are printed by the protobuf JSON mapping', () => {
  assert.deepEqual(messageJson({ id: 'a', state: 1, createdAt: 12345678901234567890n, image: undefined, value: Buffer.from('hi'), mounts: [{ propagation: 2 }] }), {
    id: 'a', state: 'CONTAINER_RUNNING', createdAt: '12345678901234567890', value: 'aGk=', mounts: [{ propagation: 'PROPAGATION_BIDIRECTIONAL' }],
  });
  assert.deepEqual(messageJson({ measuredBy: 2, outcome: 4 }), { measuredBy: 'MEASURED_BY_FILESYSTEM', outcome: 'ADOPTION_REFUSED' });
});

test('a state is read by whose it is, and an unknown one stays a number', () => {
  assert.deepEqual(podJson({ state: 1 }), { state: 'SANDBOX_NOTREADY' });
  assert.deepEqual(messageJson({ state: 77 }), { state: 77 });
});

test('info that is JSON becomes part of the document', () => {
  assert.deepEqual(infoJson({ info: '{"pid":1}', note: 'plain', broken: '{' }), { info: { pid: 1 }, note: 'plain', broken: '{' });
});
