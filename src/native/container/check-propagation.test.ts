import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MountPropagation } from '../../gen/cri.ts';
import { checkPropagation } from './check-propagation.ts';

const disk = { root: '/', device: '8:1', type: 'ext4' };
const table = [
  { ...disk, mountPoint: '/', shared: false, slave: false },
  { ...disk, mountPoint: '/shared', shared: true, slave: false },
  { ...disk, mountPoint: '/slave', shared: false, slave: true },
  { ...disk, mountPoint: '/both', shared: true, slave: true },
];
const { PROPAGATION_PRIVATE: none, PROPAGATION_HOST_TO_CONTAINER: hostToContainer, PROPAGATION_BIDIRECTIONAL: bidirectional } = MountPropagation;
const checking = (source: string, propagation: MountPropagation) => () => checkPropagation(table, { field: 'config.mounts[3]', source, propagation });

test('mounts that stay private can be anywhere, those of the node come in from shared and slave mounts, those of the container go out to shared ones', () => {
  for (const source of ['/srv', '/shared/a', '/slave/a', '/both']) assert.doesNotThrow(checking(source, none));
  for (const source of ['/shared', '/slave/a', '/both/a']) assert.doesNotThrow(checking(source, hostToContainer));
  for (const source of ['/shared/a', '/both']) assert.doesNotThrow(checking(source, bidirectional));
});

test('a refusal names the field, the mount and what to do', () => {
  assert.throws(checking('/srv/a', hostToContainer), {
    kind: 'failed-precondition', message: 'check config.mounts[3].propagation: /srv/a has to be on a shared or slave mount, but / is private on this node: mount --make-rshared /',
  });
  assert.throws(checking('/slave/a', bidirectional), {
    kind: 'failed-precondition', message: 'check config.mounts[3].propagation: /slave/a has to be on a shared mount, but /slave is a slave on this node: mount --make-rshared /slave',
  });
});
