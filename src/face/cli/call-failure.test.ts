import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { callFailure } from './call-failure.ts';

const error = (code: status, details: string): ServiceError => Object.assign(new Error(`${code} ${details}`), { code, details, metadata: new Metadata() });
const told = (code: status, details: string, path = '/runtime.v1.RuntimeService/StartContainer') => {
  const failed = callFailure(error(code, details), { act: 'start container', object: 'web', path, deadlineMs: 30_000, socket: '/run/x.sock' });
  return `${failed.kind}: ${failed.message}`;
};

test('each status becomes a kind and a sentence', () => {
  assert.equal(told(status.NOT_FOUND, 'no such container.'), 'not-found: start container web: no such container');
  assert.equal(told(status.DEADLINE_EXCEEDED, 'Deadline exceeded after 30.0s'), 'deadline-exceeded: start container web: no answer within 30 s');
  assert.equal(told(status.DEADLINE_EXCEEDED, 'command ran longer than 1 s'), 'deadline-exceeded: start container web: command ran longer than 1 s');
  assert.equal(told(status.CANCELLED, 'Cancelled on client'), 'cancelled: start container web: interrupted');
  assert.equal(told(status.UNAVAILABLE, 'Connection dropped'), 'unavailable: start container web: the daemon at /run/x.sock went away');
  assert.equal(told(status.UNIMPLEMENTED, 'unknown service'), 'unimplemented: start container web: the runtime at /run/x.sock does not offer this call (unknown service)');
  assert.equal(told(status.UNKNOWN, ''), 'internal: start container web: the runtime gave no reason (gRPC status UNKNOWN)');
});

test('a runtime that names the act itself is not repeated', () => {
  assert.equal(told(status.INTERNAL, 'start container web: exec format error'), 'internal: start container web: exec format error');
  assert.equal(told(status.INTERNAL, 'start container 8f3c: start container x in pod y: crun: no: file'), 'internal: start container web: crun: no: file');
  assert.equal(told(status.INTERNAL, 'start container 8f3c failed'), 'internal: start container web: start container 8f3c failed');
});

test('a runtime without our own API is told apart from one that lacks a call of the CRI', () => {
  const said = told(status.UNIMPLEMENTED, 'unknown service gantry.admin.v1.Admin', '/gantry.admin.v1.Admin/DiskUsage');

  assert.equal(said, 'unimplemented: start container web: only a gantry of this version offers that, and the runtime at /run/x.sock is another');
});
