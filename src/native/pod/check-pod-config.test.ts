import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GantryError } from '../../base/errors.ts';
import { NamespaceMode, PodSandboxConfig } from '../../gen/cri.ts';
import type { UserNamespace } from '../../gen/cri.ts';
import { checkPodConfig } from './check-pod-config.ts';

const metadata = { name: 'web', namespace: 'default', uid: 'u1', attempt: 0 };
const options = (fields: object): object => ({ linux: { securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0, targetId: '', ...fields } } } });

const range = { containerId: 0, hostId: 65_536, length: 65_536 };
const userNamespace: UserNamespace = { mode: NamespaceMode.POD, uids: [range], gids: [range] };
const users = (change: Partial<UserNamespace>): object => options({ usernsOptions: { ...userNamespace, ...change } });

function configOf(fields: object): PodSandboxConfig {
  const empty = PodSandboxConfig.decode(new Uint8Array());
  const linux = (fields as { linux?: object }).linux;
  return { ...empty, metadata, ...fields, ...(linux === undefined ? {} : { linux: { cgroupParent: '', sysctls: {}, ...linux } }) } as PodSandboxConfig;
}

const refused: readonly [string, object, RegExp][] = [
  ['no metadata', { metadata: undefined }, /config\.metadata: it is missing/],
  ['no name', { metadata: { ...metadata, name: '' } }, /config\.metadata\.name: it is empty/],
  ['a slash in the namespace', { metadata: { ...metadata, namespace: '../x' } }, /config\.metadata\.namespace: a slash or NUL/],
  ['a host name that is too long', { hostname: 'a'.repeat(65) }, /config\.hostname: it is longer than 64 bytes/],
  ['a host name with a line of its own', { hostname: 'a\nb' }, /config\.hostname: "a\\nb" is not a host name/],
  ['a network namespace of a container', options({ network: NamespaceMode.CONTAINER }), /namespace_options\.network: a network namespace is POD or NODE/],
  ['an IPC namespace of a target', options({ ipc: NamespaceMode.TARGET }), /namespace_options\.ipc: an IPC namespace is POD or NODE/],
  ['a PID namespace of a target', options({ pid: NamespaceMode.TARGET }), /namespace_options\.pid: the PID namespace of a pod is/],
  ['a user namespace of a container', users({ mode: NamespaceMode.CONTAINER }), /userns_options\.mode: it can only be POD or NODE/],
  ['a user namespace of a target', users({ mode: NamespaceMode.TARGET }), /userns_options\.mode: it can only be POD or NODE/],
  ['a user namespace mode that nobody knows', users({ mode: 9 as NamespaceMode }), /userns_options\.mode: 9 is not a value that this version knows/],
  ['a user namespace that maps no users', users({ uids: [] }), /userns_options\.uids: there has to be exactly one mapping, not 0/],
  ['a user namespace that maps groups twice', users({ gids: [range, range] }), /userns_options\.gids: there has to be exactly one mapping, not 2/],
  ['a user namespace without root', users({ uids: [{ ...range, containerId: 1 }] }), /userns_options\.uids\[0\]\.container_id: it is 1, but 0/],
  ['a user namespace of no ids', users({ gids: [{ ...range, length: 0 }] }), /userns_options\.gids\[0\]\.length: it is 0/],
  ['a user namespace of fewer groups than users', users({ gids: [{ ...range, length: 5 }] }), /userns_options\.gids\[0\]\.length: it is 5, and that of the users is 65536/],
  ['a user namespace beyond the last id', users({ uids: [{ ...range, hostId: 4_294_901_760 }] }), /userns_options\.uids\[0\]\.host_id: 65536 ids from 4294901760 on go beyond the last one, 4294967294/],
  ["mappings for the node's users", users({ mode: NamespaceMode.NODE }), /userns_options\.uids: mode NODE has the ids of the node and maps none/],
  ["a user namespace and the node's processes", options({ pid: NamespaceMode.NODE, usernsOptions: userNamespace }), /namespace_options\.pid: NODE cannot go with a user namespace/],
  ["a user namespace and the node's IPC", options({ ipc: NamespaceMode.NODE, usernsOptions: userNamespace }), /namespace_options\.ipc: NODE cannot go with a user namespace/],
  ['a sysctl of the host', { linux: { sysctls: { 'kernel.panic': '1' } } }, /kernel\.panic/],
  ['a host port above 65535', { portMappings: [{ protocol: 0, containerPort: 80, hostPort: 70_000, hostIp: '' }] }, /config\.port_mappings\.host_port: 70000 is not a port/],
  ['a host port without a container port', { portMappings: [{ protocol: 0, containerPort: 0, hostPort: 80, hostIp: '' }] }, /config\.port_mappings\.container_port: 0 is not a port/],
  ['an unknown protocol', { portMappings: [{ protocol: -1, containerPort: 80, hostPort: 80, hostIp: '' }] }, /config\.port_mappings\.protocol/],
  ['a relative log directory', { logDirectory: 'logs' }, /config\.log_directory: it is not an absolute path/],
  ['a cgroup parent that climbs', { linux: { cgroupParent: '/a/../../b' } }, /config\.linux\.cgroup_parent/],
];

for (const [what, fields, message] of refused) {
  test(`a pod config with ${what} is refused`, () => {
    assert.throws(() => checkPodConfig(configOf(fields)), (error) => error instanceof GantryError && ['invalid-argument', 'unimplemented'].includes(error.kind) && message.test(error.message));
  });
}

test('an ordinary pod config passes', () => {
  checkPodConfig(configOf({ hostname: 'web-0', logDirectory: '/var/log/pods/x', portMappings: [{ protocol: 1, containerPort: 53, hostPort: 5353, hostIp: '' }, { protocol: 0, containerPort: 0, hostPort: 0, hostIp: '' }] }));
  checkPodConfig(configOf({ ...options({ network: NamespaceMode.NODE, ipc: NamespaceMode.NODE, pid: NamespaceMode.NODE, usernsOptions: { mode: NamespaceMode.NODE, uids: [], gids: [] } }) }));
  checkPodConfig(configOf(users({})));
  checkPodConfig(configOf(options({ network: NamespaceMode.NODE, usernsOptions: userNamespace })));
  checkPodConfig(configOf(users({ uids: [{ ...range, hostId: 4_294_901_759 }] })));
});
