import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../../base/errors.ts';
import { duringOnce } from './during-once.ts';

const outer = { act: 'start container', object: 'web' };

test('a failure of the same act is told once, under the outer name, with its kind and its words', () => {
  const said = duringOnce(failure('failed-precondition', { act: 'start container', object: '3f00', why: 'crun: no such file' }), outer);
  const caused = duringOnce(failure('internal', { act: 'start container', object: '3f00', cause: new Error('EIO') }), outer);

  assert.deepEqual([said.kind, said.message], ['failed-precondition', 'start container web: crun: no such file']);
  assert.equal(caused.message, 'start container web: EIO');
});

test('a failure of another act is told within', () => {
  assert.equal(duringOnce(failure('not-found', { act: 'find image', object: 'app', why: 'pull it first' }), outer).message, 'start container web: find image app: pull it first');
  assert.equal(duringOnce(new Error('EIO'), outer).message, 'start container web: EIO');
});

test('the reason that the kubelet reads is kept', () => {
  const error = failure('internal', { act: 'start container', why: 'x', criReason: 'RROUnsupported' });

  assert.equal(duringOnce(error, outer).criReason, 'RROUnsupported');
});
