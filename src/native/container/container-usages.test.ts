import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerRecord } from './container-record.ts';
import { containerUsages } from './container-usages.ts';

test('each container has its last figure with its time, and none before it was measured', () => {
  const record = (id: string): ContainerRecord => ({ id, podId: `pod-of-${id}`, config: { metadata: { name: 'main', attempt: 0 } } }) as ContainerRecord;
  const asked: string[] = [];
  const usage = {
    usage(id: string, directory: string) {
      asked.push(directory);
      return id === 'new' ? undefined : { bytes: 7n, inodes: 2n, at: 5n };
    },
  };

  const all = containerUsages({ records: { all: () => [record('old'), record('new')] }, usage, roots: { root: '/r', state: '/s' }, podName: (id) => `default/${id}` });

  assert.deepEqual(all, [
    { id: 'old', name: 'main', pod: 'default/pod-of-old', bytes: 7n, inodes: 2n, measuredAt: 5n },
    { id: 'new', name: 'main', pod: 'default/pod-of-new', bytes: 0n, inodes: 0n, measuredAt: 0n },
  ]);
  assert.deepEqual(asked, ['/r/containers/old/upper', '/r/containers/new/upper']);
});
