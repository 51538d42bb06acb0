import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroupParentPath, cgroupPathFor, pathOfCgroupsPath } from './cgroup-path.ts';

test('cgroupfs: the container lies in its parent', () => {
  assert.deepEqual(cgroupPathFor({ driver: 'cgroupfs', parent: '/kubepods/burstable/pod1', id: 'c1' }), { cgroupsPath: '/kubepods/burstable/pod1/c1', path: '/kubepods/burstable/pod1/c1' });
  assert.equal(cgroupPathFor({ driver: 'cgroupfs', parent: 'kubepods//pod1/', id: 'c1' }).path, '/kubepods/pod1/c1');
  assert.equal(cgroupPathFor({ driver: 'cgroupfs', parent: '', id: 'c1' }).path, '/gantry/c1');
});

test('systemd: the slice tells the path, and the scope has our name', () => {
  const place = { cgroupsPath: 'kubepods-besteffort-pod1_2.slice:gantry:c1', path: '/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/gantry-c1.scope' };

  assert.deepEqual(cgroupPathFor({ driver: 'systemd', parent: 'kubepods-besteffort-pod1_2.slice', id: 'c1' }), place);
  assert.deepEqual(cgroupPathFor({ driver: 'systemd', parent: '/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice', id: 'c1' }), place);
  assert.equal(cgroupPathFor({ driver: 'systemd', parent: '', id: 'c1' }).path, '/system.slice/gantry-c1.scope');
});

test('systemd: a plain path becomes the slice that the kubelet would make of it', () => {
  assert.equal(cgroupPathFor({ driver: 'systemd', parent: '/kubepods/burstable/pod1-2', id: 'c1' }).cgroupsPath, 'kubepods-burstable-pod1_2.slice:gantry:c1');
  assert.equal(cgroupParentPath('systemd', '/kubepods/burstable/pod1-2'), '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice');
  assert.equal(cgroupParentPath('systemd', 'web//'), '/web.slice');
});

test('a recorded path of either driver is found again', () => {
  for (const driver of ['cgroupfs', 'systemd'] as const) {
    const parent = driver === 'systemd' ? 'a-b.slice' : '/a/b';
    const place = cgroupPathFor({ driver, parent, id: 'c1' });

    assert.equal(pathOfCgroupsPath(place.cgroupsPath), place.path);
  }
});

test('a parent that leaves its place or is none of the driver is refused', () => {
  const refused = { kind: 'invalid-argument' } as const;

  assert.throws(() => cgroupParentPath('cgroupfs', '/kubepods/../system'), { ...refused, message: /use cgroup parent "\/kubepods\/\.\.\/system": want a cgroup path without colons/ });
  assert.throws(() => cgroupParentPath('cgroupfs', '/'), { ...refused, message: /want a cgroup below the root/ });
  assert.throws(() => cgroupParentPath('cgroupfs', '/a\n/b'), refused);
  assert.throws(() => cgroupParentPath('systemd', 'a.slice:x:y'), refused);
  for (const parent of ['a--b.slice', '-a.slice', 'a-.slice', '.slice', 'a b.slice', '/kubepods/a b', '/kubepods/ü']) {
    assert.throws(() => cgroupParentPath('systemd', parent), { ...refused, message: /want the name of a systemd slice/ }, parent);
  }
});
