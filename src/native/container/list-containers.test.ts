import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerConfig, ContainerFilter, ContainerState } from '../../gen/cri.ts';
import type { Table } from '../../part/store/store.ts';
import type { ContainerRecord } from './container-record.ts';
import { listContainers } from './list-containers.ts';

function recordOf(fields: Partial<ContainerRecord> & { id: string; labels?: Record<string, string> }): ContainerRecord {
  const config = { ...ContainerConfig.decode(new Uint8Array()), metadata: { name: fields.id, attempt: 0 }, labels: fields.labels ?? {} };
  return { podId: 'p1', imageId: 'sha256:x', startedAt: undefined, exit: undefined, createdAt: 1n, ...fields, config } as ContainerRecord;
}

const records = [
  recordOf({ id: 'aa1', labels: { app: 'web', tier: 'front' } }),
  recordOf({ id: 'aa2', startedAt: 2n, labels: { app: 'web' } }),
  recordOf({ id: 'bb1', podId: 'p2', startedAt: 2n, exit: { code: 0, at: 3n, reason: 'Completed', message: '' } }),
];
const table = { all: () => records } as unknown as Table<ContainerRecord>;

const rows: readonly [string, Partial<ContainerFilter>, readonly string[]][] = [
  ['no field at all', {}, ['aa1', 'aa2', 'bb1']],
  ['a whole id', { id: 'aa2' }, ['aa2']],
  ['an id prefix', { id: 'aa' }, ['aa1', 'aa2']],
  ['a pod', { podSandboxId: 'p2' }, ['bb1']],
  ['state created', { state: { state: ContainerState.CONTAINER_CREATED } }, ['aa1']],
  ['state running', { state: { state: ContainerState.CONTAINER_RUNNING } }, ['aa2']],
  ['state exited', { state: { state: ContainerState.CONTAINER_EXITED } }, ['bb1']],
  ['one label', { labelSelector: { app: 'web' } }, ['aa1', 'aa2']],
  ['two labels', { labelSelector: { app: 'web', tier: 'front' } }, ['aa1']],
  ['fields that contradict', { id: 'aa', podSandboxId: 'p2' }, []],
];

for (const [what, filter, ids] of rows) {
  test(`a filter by ${what} gives exactly what matches`, () => {
    const found = listContainers(table, { ...ContainerFilter.decode(new Uint8Array()), ...filter });
    assert.deepEqual(found.map((container) => container.id), ids);
  });
}

test('a listed container has one identity of its image', () => {
  const [first] = listContainers(table, undefined);
  assert.deepEqual([first?.imageRef, first?.imageId], ['sha256:x', 'sha256:x']);
});
