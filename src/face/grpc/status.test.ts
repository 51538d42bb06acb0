import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { during, errorKinds, failure } from '../../base/errors.ts';
import { codeOfKind, statusOf } from './status.ts';

test('each kind has its own status', () => {
  const names = Object.fromEntries(errorKinds.map((kind) => [kind, status[codeOfKind[kind]]]));

  assert.deepEqual(names, {
    'not-found': 'NOT_FOUND',
    'already-exists': 'ALREADY_EXISTS',
    'invalid-argument': 'INVALID_ARGUMENT',
    'failed-precondition': 'FAILED_PRECONDITION',
    'resource-exhausted': 'RESOURCE_EXHAUSTED',
    'unavailable': 'UNAVAILABLE',
    'deadline-exceeded': 'DEADLINE_EXCEEDED',
    'cancelled': 'CANCELLED',
    'unimplemented': 'UNIMPLEMENTED',
    'internal': 'INTERNAL',
  });
});

test('a failure tells its act, object and cause', () => {
  const inner = failure('unavailable', { act: 'reach registry', object: 'example.org', why: 'no route' });

  const outer = during(inner, { act: 'pull image', object: 'example.org/web' });
  assert.deepEqual(statusOf(outer), { code: status.UNAVAILABLE, details: 'pull image example.org/web: reach registry example.org: no route' });
});

test('a reason that the kubelet knows comes first, under the code whose prefix it strips', () => {
  const error = failure('unavailable', { act: 'pull image', object: 'example.org/web', why: 'no route', criReason: 'RegistryUnavailable' });

  assert.deepEqual(statusOf(error), { code: status.UNKNOWN, details: 'RegistryUnavailable: pull image example.org/web: no route' });
  assert.equal(statusOf(during(error, { act: 'play' })).details, 'RegistryUnavailable: play: pull image example.org/web: no route');
});

test('what is not ours is INTERNAL with its text', () => {
  assert.deepEqual(statusOf(new TypeError('x is not a function')), { code: status.INTERNAL, details: 'x is not a function' });
  assert.deepEqual(statusOf('a string'), { code: status.INTERNAL, details: 'a string' });
});

test('a message is made fit for a header: capped, and no half characters', () => {
  const { details } = statusOf(new Error(`\ud800${'😀'.repeat(5000)}`));

  assert.ok(details.length <= 4096 && details.isWellFormed() && details.endsWith('…'));
  assert.doesNotThrow(() => encodeURI(details));
});
