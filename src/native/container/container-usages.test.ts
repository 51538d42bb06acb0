import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeasuredBy } from '../../gen/admin.ts';
import type { ContainerRecord } from './container-record.ts';
import { containerUsages } from './container-usages.ts';
import type { Usage, WritableLayer } from '../../host/usage-meter.ts';

test('each container has its last figure with its time and where it is from, and none before it was measured; declared volumes count', () => {
  const record = (id: string): ContainerRecord => ({ id, podId: `pod-of-${id}`, config: { metadata: { name: 'main', attempt: 0 } } }) as ContainerRecord;
  const asked: string[] = [];
  const usage = {
    usage(id: string, { directories }: WritableLayer): Usage | undefined {
      asked.push(...directories);
      return id === 'new' ? undefined : { bytes: 7n, inodes: 2n, at: 5n, way: id === 'counted' ? 'counted' : 'at-least' };
    },
  };

  const all = containerUsages({ records: { all: () => [record('old'), record('new'), record('counted')] }, usage, roots: { root: '/r', state: '/s' }, podName: (id) => `default/${id}` });

  assert.deepEqual(all, [
    { id: 'old', name: 'main', pod: 'default/pod-of-old', bytes: 7n, inodes: 2n, measuredAt: 5n, measuredBy: MeasuredBy.MEASURED_BY_PART_OF_WALK },
    { id: 'new', name: 'main', pod: 'default/pod-of-new', bytes: 0n, inodes: 0n, measuredAt: 0n, measuredBy: MeasuredBy.MEASURED_BY_WALK },
    { id: 'counted', name: 'main', pod: 'default/pod-of-counted', bytes: 7n, inodes: 2n, measuredAt: 5n, measuredBy: MeasuredBy.MEASURED_BY_FILESYSTEM },
  ]);
  assert.deepEqual(asked, ['old', 'new', 'counted'].flatMap((id) => [`/r/containers/${id}/upper`, `/r/containers/${id}/volumes`]));
});
