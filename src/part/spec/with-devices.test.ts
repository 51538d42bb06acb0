import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NamespaceMode } from '../../gen/cri.ts';
import { buildContainerSpec } from './build-container-spec.ts';
import { exampleInput } from './example-input.fake.ts';
import type { Changes } from './example-input.fake.ts';
import type { OciLinux } from './oci-spec.ts';
import type { ResolvedDevice } from './resolve-devices.ts';

const fuse: ResolvedDevice = { path: '/dev/fuse', type: 'c', major: 10, minor: 229, mode: 0o600, uid: 5, gid: 6, permissions: 'rw' };
const disk: ResolvedDevice = { path: '/dev/loop0', type: 'b', major: 7, minor: 0, mode: 0o660, uid: 0, gid: 6, permissions: 'rwm' };

const linux = (changes: Changes): OciLinux => buildContainerSpec(exampleInput(changes)).linux;
const rules = (changes: Changes): unknown => linux(changes).resources.devices;
const nodes = (changes: Changes): unknown => linux(changes).devices.map(({ path, major }) => `${path} ${major}`);

const none = { allow: false, access: 'rwm' };
const privileged = { security: { privileged: true }, input: { devices: [fuse], hostDevices: [disk, { ...fuse, major: 1 }] } } as const;

test('an ordinary container has what it asks for, and the devices of the host in no case', () => {
  const changes = { input: { devices: [fuse], hostDevices: [disk] } };

  assert.deepEqual(nodes(changes), ['/dev/fuse 10']);
  assert.deepEqual(rules(changes), [none, { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }]);
});

test('of two nodes on one path the later counts', () => {
  assert.deepEqual(nodes({ input: { devices: [fuse, disk, { ...fuse, major: 11 }] } }), ['/dev/loop0 7', '/dev/fuse 11']);
});

test('a privileged container has all of the host, and its own in place of those', () => {
  assert.deepEqual(nodes(privileged), ['/dev/loop0 7', '/dev/fuse 10']);
  assert.deepEqual(rules(privileged), [{ allow: true, access: 'rwm' }]);
});

test('its handler can keep the nodes from it, and the leave to use any', () => {
  assert.deepEqual(nodes({ ...privileged, handler: { privilegedDevices: 'allowed' } }), ['/dev/fuse 10']);
  assert.deepEqual(rules({ ...privileged, handler: { privilegedDevices: 'allowed' } }), [{ allow: true, access: 'rwm' }]);
  assert.deepEqual(nodes({ ...privileged, handler: { privilegedDevices: 'none' } }), ['/dev/fuse 10']);
  assert.deepEqual(rules({ ...privileged, handler: { privilegedDevices: 'none' } }), [none, { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }]);
});

test('with a user namespace it may use of the host\'s devices what anybody may, and its own', () => {
  const ids = [{ hostId: 100_000, containerId: 0, length: 65_536 }];
  const log: ResolvedDevice = { path: '/dev/kmsg', type: 'c', major: 1, minor: 11, mode: 0o644, uid: 0, gid: 0, permissions: 'rwm' };
  const tun: ResolvedDevice = { ...log, path: '/dev/net/tun', major: 10, minor: 200, mode: 0o666 };
  const usersPod = { ...privileged, podNamespaces: { usernsOptions: { mode: NamespaceMode.POD, uids: ids, gids: ids } }, input: { ...privileged.input, hostDevices: [disk, log, tun] } };

  assert.deepEqual(nodes(usersPod), ['/dev/loop0 7', '/dev/kmsg 1', '/dev/net/tun 10', '/dev/fuse 10']);
  assert.deepEqual(rules(usersPod), [
    none,
    { allow: true, type: 'c', major: 1, minor: 11, access: 'r' },
    { allow: true, type: 'c', major: 10, minor: 200, access: 'rw' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
  ]);
});

test('devices keep the owner that they have on the host, unless the node gives them to the user', () => {
  const owner = (security: Changes['security'], devicesToUser: boolean): unknown => linux({
    defaults: { devicesToUser }, security, input: { devices: [fuse], identity: { uid: 1000, gid: 1001, additionalGids: [], home: undefined } },
  }).devices.map(({ uid, gid }) => [uid, gid])[0];

  assert.deepEqual(owner({ runAsUser: { value: 1000n }, runAsGroup: { value: 1001n } }, false), [5, 6]);
  assert.deepEqual(owner({ runAsUser: { value: 1000n }, runAsGroup: { value: 1001n } }, true), [1000, 1001]);
  assert.deepEqual(owner({ runAsUsername: 'app' }, true), [1000, 6]);
  assert.deepEqual(owner({}, true), [5, 6]);
});
