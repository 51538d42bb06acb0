/** What each CRI field becomes in the OCI spec: one row or more for every field, and a test that no field is without one. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Capability, ContainerConfig, Device, HugepageLimit, IDMapping, ImageSpec, KeyValue, LinuxContainerConfig, LinuxContainerResources, LinuxContainerSecurityContext, Mount, MountPropagation,
  NamespaceMode, NamespaceOption, SecurityProfile, SecurityProfile_ProfileType as ProfileType, SELinuxOption, SupplementalGroupsPolicy, UserNamespace,
} from '../../gen/cri.ts';
import type { Signal } from '../../gen/cri.ts';
import type { ErrorKind } from '../../base/errors.ts';
import { buildContainerSpec } from './build-container-spec.ts';
import { effectiveStopSignal } from './effective-stop-signal.ts';
import { exampleInput, unset } from './example-input.fake.ts';
import type { Changes } from './example-input.fake.ts';
import type { OciSpec } from './oci-spec.ts';
import { resolveDevices } from './resolve-devices.ts';
import { resolveUser } from './resolve-user.ts';

const messages = {
  ContainerConfig, LinuxContainerConfig, LinuxContainerSecurityContext, LinuxContainerResources, Capability, NamespaceOption, SELinuxOption, SecurityProfile, Mount, Device, KeyValue,
  HugepageLimit, ImageSpec, UserNamespace, IDMapping,
};

type Field = `${keyof typeof messages}.${string}`;

interface Row {
  readonly field: Field;
  readonly given: Changes;
  readonly gives: readonly [where: (spec: OciSpec) => unknown, expected: unknown];
}

interface Refusal {
  readonly field: Field;
  readonly given: Changes;
  readonly refused: readonly [kind: ErrorKind, message: string];
}

/** Fields that other floors read; a spec built from them would be the wrong place. */
const elsewhere: Readonly<Record<Field, string>> = {
  'ContainerConfig.labels': 'returned in statuses, never given to a runtime',
  'ContainerConfig.annotations': 'returned in statuses, searched for CDI devices (part/cdi) and by hooks (part/hooks), given to a runtime where its handler allows it (CVE-2023-6476; see node-defaults.test.ts)',
  'ContainerConfig.logPath': 'given to conmon',
  'ContainerConfig.stdin': 'given to conmon',
  'ContainerConfig.stdinOnce': 'given to conmon',
  'ImageSpec.annotations': 'echoed in statuses',
  'ImageSpec.runtimeHandler': 'echoed in statuses: an image is the same for every handler',
  'ImageSpec.imageRef': "an answer, in ContainerStatus.mounts (container-status.ts); a request's is not read",
};

const caps = (spec: OciSpec): unknown => spec.process.capabilities;
const bounding = (spec: OciSpec): unknown => spec.process.capabilities.bounding;
const resources = (spec: OciSpec): unknown => ({ ...spec.linux.resources, devices: undefined });
const volume = (spec: OciSpec): unknown => spec.mounts.find(({ destination }) => destination === '/data')?.options;
const sourceOfVolume = (spec: OciSpec): unknown => spec.mounts.filter(({ destination }) => destination === '/data').map(({ source, options }) => ({ source, options }))[0];
const imageVolume = (change: Partial<Mount>): Changes => ({ mount: { hostPath: '', readonly: true, image: { ...unset(ImageSpec), image: 'shop-data:1' }, ...change } });
const namespace = (type: string) => (spec: OciSpec): unknown => spec.linux.namespaces.find((entry) => entry.type === type);
const variable = (name: string) => (spec: OciSpec): unknown => spec.process.env.find((entry) => entry.startsWith(`${name}=`));
const env = (key: string, value: string | Buffer): Changes => ({ config: { envs: [{ key, value: Buffer.from(value) }] } });
const capabilities = (change: Partial<Capability>): Changes => ({ security: { capabilities: { ...unset(Capability), ...change } } });
const withSelinux: Changes = {
  input: { selinux: { contexts: { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0' }, podLevel: 's0:c7,c8' } },
};
const selinuxLabel = (spec: OciSpec): unknown => spec.process.selinuxLabel;
const selinux = (change: Partial<SELinuxOption>): Changes => ({ ...withSelinux, security: { selinuxOptions: { ...unset(SELinuxOption), ...change } } });
const profile = (profileType: number, localhostRef = ''): SecurityProfile => ({ profileType, localhostRef }) as SecurityProfile;
const noEdits = { env: [], devices: [], mounts: [], hooks: [], additionalGids: [], intelRdt: undefined };
const device = (change: Partial<Device>): Changes => ({ config: { devices: [{ ...unset(Device), containerPath: '/dev/in', hostPath: '/dev/zero', permissions: 'rw', ...change }] } });

const idMapping = (change: Partial<IDMapping>): IDMapping => ({ containerId: 0, hostId: 65_536, length: 65_536, ...change });
const userNamespace = (change: Partial<IDMapping>): UserNamespace => ({ mode: NamespaceMode.POD, uids: [idMapping(change)], gids: [idMapping(change)] });
/** A pod with a user namespace of its own, and a container that asks for the same. */
const users = (change: Partial<IDMapping>): Changes => ({
  namespaces: { pid: NamespaceMode.CONTAINER, usernsOptions: userNamespace(change) },
  podNamespaces: { usernsOptions: userNamespace(change) },
  input: { namespaces: { network: '/n', ipc: '/i', uts: '/u', user: '/run/pods/1/user' } },
});

const withProfiles: Changes = { input: { apparmor: { defaultProfile: 'the-default', loaded: new Set(['the-default', 'shop']) } } };
const apparmorProfile = (spec: OciSpec): unknown => spec.process.apparmorProfile;

const fourteen = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_NET_RAW',
  'CAP_SYS_CHROOT', 'CAP_MKNOD', 'CAP_AUDIT_WRITE', 'CAP_SETFCAP',
];
const security = 'config.linux.security_context';
const usernsOptions = `${security}.namespace_options.userns_options`;

const rows: readonly (Row | Refusal)[] = [
  // What runs
  { field: 'ContainerConfig.metadata', given: {}, gives: [(spec) => spec.annotations['io.kubernetes.cri.container-name'], 'web'] },
  {
    field: 'ContainerConfig.image',
    given: { config: { image: { ...unset(ImageSpec), image: 'sha256:1', userSpecifiedImage: 'shop:2' } } },
    gives: [(spec) => spec.annotations['io.kubernetes.cri.image-name'], 'shop:2'],
  },
  {
    field: 'ContainerConfig.command',
    given: { config: { command: ['/a', 'b'] }, input: { image: { Entrypoint: ['/x'], Cmd: ['y'] } } },
    gives: [(spec) => spec.process.args, ['/a', 'b']],
  },
  { field: 'ContainerConfig.command', given: { config: { command: ['/a', 'b\0'] } }, refused: ['invalid-argument', 'check config.command[1]: it has a NUL byte'] },
  { field: 'ContainerConfig.command', given: { config: { command: [''] } }, refused: ['invalid-argument', 'check config.command[0]: the program has an empty name'] },
  {
    field: 'ContainerConfig.command',
    given: { config: { command: [`/bin/${'x'.repeat(256)}`] } },
    refused: ['invalid-argument', `check config.command[0]: "/bin/${'x'.repeat(95)}…" has a name of more than 255 bytes`],
  },
  {
    field: 'ContainerConfig.args',
    given: { config: { command: [], args: ['z'] }, input: { image: { Entrypoint: ['/x'], Cmd: ['y'] } } },
    gives: [(spec) => spec.process.args, ['/x', 'z']],
  },
  {
    field: 'ContainerConfig.args',
    given: { config: { args: ['x'.repeat(131_072)] } },
    refused: ['invalid-argument', 'check config.args[0]: it is longer than the 131071 bytes that the kernel passes to a process'],
  },
  {
    field: 'ContainerConfig.workingDir',
    given: { config: { workingDir: '/srv//app/' }, input: { image: { WorkingDir: '/no' } } },
    gives: [(spec) => spec.process.cwd, '/srv/app'],
  },
  {
    field: 'ContainerConfig.workingDir',
    given: { config: { workingDir: 'app' } },
    refused: ['invalid-argument', 'check config.working_dir: "app" is not an absolute path'],
  },
  {
    field: 'ContainerConfig.workingDir',
    given: { config: { workingDir: '/proc/self/fd/7' } },
    refused: ['invalid-argument', `check config.working_dir: "/proc/self/fd/7" is inside a process's own directory`],
  },
  { field: 'ContainerConfig.envs', given: env('A', '1'), gives: [variable('A'), 'A=1'] },
  { field: 'KeyValue.key', given: env('', '1'), refused: ['invalid-argument', 'check config.envs[0].key: "" is no name of a variable'] },
  { field: 'KeyValue.key', given: env('A=B', '1'), refused: ['invalid-argument', 'check config.envs[0].key: "A=B" is no name of a variable'] },
  { field: 'KeyValue.key', given: env('A\0', '1'), refused: ['invalid-argument', 'check config.envs[0]: it has a NUL byte'] },
  { field: 'KeyValue.value', given: env('A', 'ü = \n'), gives: [variable('A'), 'A=ü = \n'] },
  {
    field: 'KeyValue.value',
    given: env('A', Buffer.from([0xff])),
    refused: ['invalid-argument', 'check config.envs[0].value: the value of "A" is not UTF-8, the only encoding that an OCI config.json can carry'],
  },
  { field: 'ContainerConfig.tty', given: { config: { tty: true } }, gives: [(spec) => [spec.process.terminal, variable('TERM')(spec)], [true, 'TERM=xterm']] },
  {
    field: 'ContainerConfig.windows',
    given: { config: { windows: { resources: undefined, securityContext: undefined } } },
    refused: ['invalid-argument', 'check config.windows: this is a Linux node'],
  },
  {
    field: 'ContainerConfig.CDIDevices',
    given: { config: { CDIDevices: [{ name: 'v/c=d' }] }, input: { cdi: [{ ...noEdits, env: ['GPU=1'], mounts: [{ hostPath: '/lib/gpu', containerPath: '/gpu', type: '', options: ['ro'] }] }] } },
    gives: [(spec) => [variable('GPU')(spec), spec.mounts.find(({ destination }) => destination === '/gpu')], ['GPU=1', { destination: '/gpu', type: 'bind', source: '/lib/gpu', options: ['rbind', 'ro'] }]],
  },

  // Who runs it
  {
    field: 'ContainerConfig.linux',
    given: { config: { linux: undefined } },
    gives: [(spec) => spec.process.user, { uid: 0, gid: 0, umask: 0o022, additionalGids: [0] }],
  },
  { field: 'LinuxContainerConfig.securityContext', given: { security: {} }, gives: [(spec) => spec.process.noNewPrivileges, false] },
  { field: 'LinuxContainerConfig.resources', given: { resources: {} }, gives: [resources, { devices: undefined }] },
  {
    field: 'LinuxContainerSecurityContext.runAsUser',
    given: { security: { runAsUser: { value: 1000n } } },
    gives: [(spec) => spec.process.user, { uid: 1000, gid: 1001, umask: 0o022, additionalGids: [1001, 50] }],
  },
  { field: 'LinuxContainerSecurityContext.runAsUser', given: { security: { runAsUser: { value: 1000n } } }, gives: [variable('HOME'), 'HOME=/home/ada'] },
  {
    field: 'LinuxContainerSecurityContext.runAsUser',
    given: { security: { runAsUser: { value: 4_294_967_296n } } },
    refused: ['invalid-argument', `check ${security}.run_as_user: 4294967296 is not an id from 0 to 2147483647`],
  },
  { field: 'LinuxContainerSecurityContext.runAsUsername', given: { security: { runAsUsername: 'ada' } }, gives: [(spec) => spec.process.user.uid, 1000] },
  {
    field: 'LinuxContainerSecurityContext.runAsUsername',
    given: { security: { runAsUsername: 'eve' } },
    refused: ['failed-precondition', `resolve user "eve": the image's /etc/passwd has no usable line for it`],
  },
  {
    field: 'LinuxContainerSecurityContext.runAsGroup',
    given: { security: { runAsUser: { value: 1000n }, runAsGroup: { value: 7n } } },
    gives: [(spec) => spec.process.user.gid, 7],
  },
  {
    field: 'LinuxContainerSecurityContext.runAsGroup',
    given: { security: { runAsGroup: { value: 7n } } },
    refused: ['invalid-argument', `check ${security}.run_as_group: it needs run_as_user or run_as_username`],
  },
  {
    field: 'LinuxContainerSecurityContext.supplementalGroups',
    given: { security: { supplementalGroups: [8n, 9n] } },
    gives: [(spec) => spec.process.user.additionalGids, [0, 8, 9]],
  },
  {
    field: 'LinuxContainerSecurityContext.supplementalGroups',
    given: { security: { supplementalGroups: [8n, -1n] } },
    refused: ['invalid-argument', `check ${security}.supplemental_groups[1]: -1 is not an id from 0 to 2147483647`],
  },
  {
    field: 'LinuxContainerSecurityContext.supplementalGroupsPolicy',
    given: { security: { runAsUser: { value: 1000n }, supplementalGroups: [8n], supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict } },
    gives: [(spec) => spec.process.user.additionalGids, [1001, 8]],
  },
  {
    field: 'LinuxContainerSecurityContext.supplementalGroupsPolicy',
    given: { security: { supplementalGroupsPolicy: 7 as SupplementalGroupsPolicy } },
    refused: ['invalid-argument', `check ${security}.supplemental_groups_policy: 7 is not a value that this version knows`],
  },
  { field: 'LinuxContainerSecurityContext.noNewPrivs', given: { security: { noNewPrivs: true } }, gives: [(spec) => spec.process.noNewPrivileges, true] },
  {
    field: 'LinuxContainerSecurityContext.capabilities',
    given: {},
    gives: [caps, { bounding: fourteen, effective: fourteen, permitted: fourteen, inheritable: [], ambient: [] }],
  },
  {
    field: 'Capability.addCapabilities',
    given: capabilities({ addCapabilities: ['net_admin', 'CAP_SYS_TIME'], dropCapabilities: ['ALL'] }),
    gives: [bounding, ['CAP_NET_ADMIN', 'CAP_SYS_TIME']],
  },
  {
    field: 'Capability.addCapabilities',
    given: { ...capabilities({ addCapabilities: ['ALL'], dropCapabilities: ['KILL'] }), facts: { capabilities: ['CAP_CHOWN', 'CAP_KILL'] } },
    gives: [bounding, ['CAP_CHOWN']],
  },
  {
    field: 'Capability.addCapabilities',
    given: { ...capabilities({ addCapabilities: ['SYS_RESOURCE'] }), facts: { capabilities: ['CAP_CHOWN'] } },
    refused: ['failed-precondition', `grant CAP_SYS_RESOURCE: ${security}.capabilities.add_capabilities asks for it, but gantry itself does not have it on this node: give it to the gantry service`],
  },
  {
    field: 'Capability.dropCapabilities',
    given: capabilities({ dropCapabilities: ['ALL'] }),
    gives: [caps, { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] }],
  },
  {
    field: 'Capability.dropCapabilities',
    given: capabilities({ dropCapabilities: ['NET_RAWW'] }),
    refused: ['invalid-argument', `check ${security}.capabilities.drop_capabilities[0]: "NET_RAWW" is no capability of Linux`],
  },
  {
    field: 'Capability.addAmbientCapabilities',
    given: capabilities({ dropCapabilities: ['ALL'], addAmbientCapabilities: ['NET_BIND_SERVICE'] }),
    gives: [
      caps,
      {
        bounding: ['CAP_NET_BIND_SERVICE'], effective: ['CAP_NET_BIND_SERVICE'], permitted: ['CAP_NET_BIND_SERVICE'], inheritable: ['CAP_NET_BIND_SERVICE'],
        ambient: ['CAP_NET_BIND_SERVICE'],
      },
    ],
  },
  {
    field: 'LinuxContainerSecurityContext.privileged',
    given: { security: { privileged: true, maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'], seccomp: profile(ProfileType.RuntimeDefault) }, facts: { capabilities: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] } },
    gives: [
      (spec) => [spec.process.capabilities.effective, spec.linux.maskedPaths, spec.linux.readonlyPaths, spec.linux.seccomp, spec.linux.resources.devices, spec.mounts.find((mount) => mount.type === 'sysfs')?.options],
      [['CAP_CHOWN', 'CAP_SYS_ADMIN'], [], [], undefined, [{ allow: true, access: 'rwm' }], ['nosuid', 'noexec', 'nodev', 'rw']],
    ],
  },

  {
    field: 'LinuxContainerSecurityContext.privileged',
    given: { security: { privileged: true }, input: { podConfig: { ...exampleInput().podConfig, linux: undefined } } },
    refused: ['invalid-argument', `check ${security}.privileged: the pod's own security context is not privileged`],
  },

  // In which namespaces
  { field: 'LinuxContainerSecurityContext.namespaceOptions', given: { security: { namespaceOptions: undefined } }, gives: [namespace('pid'), { type: 'pid' }] },
  {
    field: 'LinuxContainerSecurityContext.namespaceOptions',
    given: { security: { namespaceOptions: undefined }, podNamespaces: { pid: NamespaceMode.POD }, input: { namespaces: { network: '/n', ipc: '/i', uts: '/u', pid: '/p' } } },
    gives: [namespace('pid'), { type: 'pid', path: '/p' }],
  },
  {
    field: 'LinuxContainerSecurityContext.namespaceOptions',
    given: { security: { namespaceOptions: undefined }, podNamespaces: { pid: NamespaceMode.NODE } },
    gives: [namespace('pid'), undefined],
  },
  { field: 'NamespaceOption.network', given: {}, gives: [namespace('network'), { type: 'network', path: '/run/pods/1/net' }] },
  {
    field: 'NamespaceOption.network',
    given: { namespaces: { network: NamespaceMode.NODE }, podNamespaces: { network: NamespaceMode.NODE }, input: { namespaces: { ipc: '/i' } } },
    gives: [namespace('network'), undefined],
  },
  {
    field: 'NamespaceOption.network',
    given: { namespaces: { network: NamespaceMode.NODE } },
    refused: ['invalid-argument', `check ${security}.namespace_options.network: it cannot be NODE in a pod that has its own`],
  },
  {
    field: 'NamespaceOption.network',
    given: { namespaces: { network: NamespaceMode.CONTAINER } },
    refused: ['invalid-argument', `check ${security}.namespace_options.network: it can only be POD or NODE`],
  },
  { field: 'NamespaceOption.ipc', given: {}, gives: [namespace('ipc'), { type: 'ipc', path: '/run/pods/1/ipc' }] },
  {
    field: 'NamespaceOption.ipc',
    given: { input: { namespaces: { network: '/n', uts: '/u' } } },
    refused: ['failed-precondition', 'join namespace ipc: the pod has no such namespace of its own'],
  },
  {
    field: 'NamespaceOption.ipc',
    given: { podNamespaces: { ipc: NamespaceMode.NODE }, input: { namespaces: { network: '/n', uts: '/u' } } },
    gives: [namespace('ipc'), undefined],
  },
  { field: 'NamespaceOption.pid', given: { namespaces: { pid: NamespaceMode.CONTAINER } }, gives: [namespace('pid'), { type: 'pid' }] },
  { field: 'NamespaceOption.pid', given: { namespaces: { pid: NamespaceMode.NODE } }, gives: [namespace('pid'), undefined] },
  {
    field: 'NamespaceOption.pid',
    given: { namespaces: { pid: NamespaceMode.POD } },
    refused: ['failed-precondition', 'join namespace pid: the pod has no such namespace of its own'],
  },
  {
    field: 'NamespaceOption.pid',
    given: { namespaces: { pid: 9 as NamespaceMode } },
    refused: ['invalid-argument', `check ${security}.namespace_options.pid: 9 is not a value that this version knows`],
  },
  {
    field: 'NamespaceOption.targetId',
    given: { namespaces: { pid: NamespaceMode.TARGET, targetId: 'c' }, input: { namespaces: { network: '/n', ipc: '/i', uts: '/u', pid: '/proc/7/ns/pid' } } },
    gives: [namespace('pid'), { type: 'pid', path: '/proc/7/ns/pid' }],
  },
  {
    field: 'NamespaceOption.targetId',
    given: { namespaces: { pid: NamespaceMode.TARGET } },
    refused: ['invalid-argument', `check ${security}.namespace_options.target_id: pid mode TARGET needs it`],
  },
  {
    field: 'NamespaceOption.usernsOptions',
    given: { namespaces: { usernsOptions: { ...unset(UserNamespace), mode: NamespaceMode.NODE } } },
    gives: [namespace('user'), undefined],
  },
  { field: 'NamespaceOption.usernsOptions', given: users({}), gives: [namespace('user'), { type: 'user', path: '/run/pods/1/user' }] },
  { field: 'NamespaceOption.usernsOptions', given: { ...users({}), namespaces: {} }, gives: [namespace('user'), { type: 'user', path: '/run/pods/1/user' }] },
  {
    field: 'NamespaceOption.usernsOptions',
    given: { ...users({}), input: { namespaces: { network: '/n', ipc: '/i', uts: '/u' } } },
    refused: ['failed-precondition', 'join namespace user: the pod has no such namespace of its own'],
  },
  {
    field: 'NamespaceOption.usernsOptions',
    given: { ...users({}), podNamespaces: {} },
    refused: ['invalid-argument', `check ${usernsOptions}: it is not what the pod was made with: all containers of a pod have its user namespace`],
  },
  {
    field: 'NamespaceOption.usernsOptions',
    given: { ...users({}), namespaces: { usernsOptions: userNamespace({ hostId: 65_537 }) } },
    refused: ['invalid-argument', `check ${usernsOptions}: it is not what the pod was made with: all containers of a pod have its user namespace`],
  },
  {
    field: 'NamespaceOption.pid',
    given: { ...users({}), namespaces: { pid: NamespaceMode.NODE } },
    refused: ['invalid-argument', `check ${security}.namespace_options.pid: it cannot be NODE in a pod with a user namespace of its own`],
  },
  {
    field: 'NamespaceOption.network',
    given: { ...users({}), podNamespaces: { network: NamespaceMode.NODE, usernsOptions: userNamespace({}) }, input: { namespaces: { ipc: '/i', user: '/u' } } },
    gives: [
      (spec) => spec.mounts.find((mount) => mount.destination === '/sys'),
      { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev', 'rro'] },
    ],
  },
  {
    field: 'LinuxContainerSecurityContext.runAsUser',
    given: { ...users({ length: 1000 }), security: { runAsUser: { value: 1000n } } },
    refused: ['invalid-argument', `check ${security}.run_as_user: 1000 is not mapped in the pod's user namespace, which has the ids 0 to 999`],
  },
  {
    field: 'LinuxContainerSecurityContext.supplementalGroups',
    given: { ...users({ length: 1000 }), security: { supplementalGroups: [8n, 1000n] } },
    refused: ['invalid-argument', `check ${security}.supplemental_groups: 1000 is not mapped in the pod's user namespace, which has the ids 0 to 999`],
  },
  { field: 'UserNamespace.uids', given: users({}), gives: [(spec) => spec.linux.uidMappings, [{ containerID: 0, hostID: 65_536, size: 65_536 }]] },
  { field: 'UserNamespace.gids', given: users({}), gives: [(spec) => spec.linux.gidMappings, [{ containerID: 0, hostID: 65_536, size: 65_536 }]] },
  {
    field: 'UserNamespace.uids',
    given: { namespaces: { usernsOptions: { ...userNamespace({}), uids: [] } } },
    refused: ['invalid-argument', `check ${usernsOptions}.uids: there has to be exactly one mapping, not 0`],
  },
  {
    field: 'UserNamespace.gids',
    given: { namespaces: { usernsOptions: { ...userNamespace({}), mode: NamespaceMode.NODE, uids: [] } } },
    refused: ['invalid-argument', `check ${usernsOptions}.gids: mode NODE has the ids of the node and maps none`],
  },
  {
    field: 'IDMapping.containerId',
    given: { namespaces: { usernsOptions: userNamespace({ containerId: 1 }) } },
    refused: ['invalid-argument', `check ${usernsOptions}.uids[0].container_id: it is 1, but 0, the root of the pod, has to be mapped`],
  },
  {
    field: 'IDMapping.hostId',
    given: { namespaces: { usernsOptions: userNamespace({ hostId: 4_294_967_290 }) } },
    refused: ['invalid-argument', `check ${usernsOptions}.uids[0].host_id: 65536 ids from 4294967290 on go beyond the last one, 4294967294`],
  },
  {
    field: 'IDMapping.length',
    given: { namespaces: { usernsOptions: userNamespace({ length: 0 }) } },
    refused: ['invalid-argument', `check ${usernsOptions}.uids[0].length: it is 0: no id would be mapped`],
  },
  {
    field: 'UserNamespace.mode',
    given: { namespaces: { usernsOptions: { ...unset(UserNamespace), mode: NamespaceMode.TARGET } } },
    refused: ['invalid-argument', `check ${security}.namespace_options.userns_options.mode: it can only be POD or NODE`],
  },

  // Behind which walls
  {
    field: 'LinuxContainerSecurityContext.readonlyRootfs',
    given: { security: { readonlyRootfs: true } },
    gives: [(spec) => spec.root, { path: '/run/containers/1/rootfs', readonly: true }],
  },
  {
    field: 'LinuxContainerSecurityContext.maskedPaths',
    given: { security: { maskedPaths: ['/proc/kcore'] } },
    gives: [(spec) => spec.linux.maskedPaths, ['/proc/kcore']],
  },
  {
    field: 'LinuxContainerSecurityContext.maskedPaths',
    given: { security: { maskedPaths: ['/proc/../etc'] } },
    refused: ['invalid-argument', `check ${security}.masked_paths[0]: "/proc/../etc" has an element ..`],
  },
  {
    field: 'LinuxContainerSecurityContext.readonlyPaths',
    given: { security: { readonlyPaths: ['/proc/sys'] } },
    gives: [(spec) => spec.linux.readonlyPaths, ['/proc/sys']],
  },
  { field: 'LinuxContainerSecurityContext.seccomp', given: {}, gives: [(spec) => spec.linux.seccomp, undefined] },
  {
    field: 'SecurityProfile.profileType',
    given: { security: { seccomp: profile(ProfileType.RuntimeDefault) } },
    gives: [(spec) => spec.linux.seccomp?.defaultAction, 'SCMP_ACT_ERRNO'],
  },
  { field: 'SecurityProfile.profileType', given: { security: { seccomp: profile(ProfileType.Unconfined) } }, gives: [(spec) => spec.linux.seccomp, undefined] },
  {
    field: 'SecurityProfile.profileType',
    given: { security: { seccomp: profile(9) } },
    refused: ['invalid-argument', `check ${security}.seccomp.profile_type: 9 is not a value that this version knows`],
  },
  {
    field: 'SecurityProfile.localhostRef',
    given: { security: { seccomp: profile(ProfileType.Localhost, '/p.json') }, input: { localhostSeccomp: '{"defaultAction":"SCMP_ACT_LOG"}' } },
    gives: [(spec) => spec.linux.seccomp, { defaultAction: 'SCMP_ACT_LOG', architectures: [], syscalls: [] }],
  },
  {
    field: 'SecurityProfile.localhostRef',
    given: { security: { seccomp: profile(ProfileType.Localhost, 'p.json') } },
    refused: ['invalid-argument', `check ${security}.seccomp.localhost_ref: "p.json" is not an absolute path`],
  },
  {
    field: 'SecurityProfile.localhostRef',
    given: { security: { seccomp: profile(ProfileType.Localhost) } },
    refused: ['invalid-argument', `check ${security}.seccomp.localhost_ref: profile type Localhost needs a profile`],
  },
  {
    field: 'SecurityProfile.localhostRef',
    given: { security: { seccomp: profile(ProfileType.Unconfined, '/p.json') } },
    refused: ['invalid-argument', `check ${security}.seccomp.localhost_ref: it can only be given with profile_type Localhost`],
  },
  {
    field: 'LinuxContainerSecurityContext.seccompProfilePath',
    given: { security: { seccompProfilePath: 'runtime/default' } },
    gives: [(spec) => spec.linux.seccomp?.defaultAction, 'SCMP_ACT_ERRNO'],
  },
  {
    field: 'LinuxContainerSecurityContext.seccompProfilePath',
    given: { security: { seccompProfilePath: 'runtime/default', seccomp: profile(ProfileType.Unconfined) } },
    gives: [(spec) => spec.linux.seccomp, undefined],
  },
  {
    field: 'LinuxContainerSecurityContext.seccompProfilePath',
    given: { security: { seccompProfilePath: 'strict' } },
    refused: ['invalid-argument', `check ${security}.seccomp_profile_path: "strict" is none of runtime/default, unconfined and localhost/<profile>`],
  },
  { field: 'LinuxContainerSecurityContext.apparmor', given: withProfiles, gives: [apparmorProfile, 'the-default'] },
  { field: 'LinuxContainerSecurityContext.apparmor', given: { ...withProfiles, security: { apparmor: profile(ProfileType.RuntimeDefault) } }, gives: [apparmorProfile, 'the-default'] },
  { field: 'LinuxContainerSecurityContext.apparmor', given: { ...withProfiles, security: { apparmor: profile(ProfileType.Unconfined) } }, gives: [apparmorProfile, undefined] },
  { field: 'LinuxContainerSecurityContext.apparmor', given: { ...withProfiles, security: { apparmor: profile(ProfileType.Localhost, 'shop') } }, gives: [apparmorProfile, 'shop'] },
  { field: 'LinuxContainerSecurityContext.apparmor', given: { ...withProfiles, security: { apparmor: profile(ProfileType.Localhost, 'shop'), privileged: true } }, gives: [apparmorProfile, undefined] },
  { field: 'LinuxContainerSecurityContext.apparmor', given: { security: { apparmor: profile(ProfileType.RuntimeDefault) } }, gives: [apparmorProfile, undefined] },
  {
    field: 'LinuxContainerSecurityContext.apparmor',
    given: { security: { apparmor: profile(ProfileType.Localhost, 'shop') } },
    refused: ['failed-precondition', 'confine with AppArmor profile "shop": AppArmor is not enabled on this node'],
  },
  {
    field: 'LinuxContainerSecurityContext.apparmor',
    given: { ...withProfiles, security: { apparmor: profile(ProfileType.Localhost, 'shoe') } },
    refused: ['failed-precondition', 'confine with AppArmor profile "shoe": it is not loaded on this node; load it with apparmor_parser'],
  },
  { field: 'LinuxContainerSecurityContext.apparmorProfile', given: { ...withProfiles, security: { apparmorProfile: 'localhost/shop' } }, gives: [apparmorProfile, 'shop'] },
  { field: 'LinuxContainerSecurityContext.apparmorProfile', given: { ...withProfiles, security: { apparmorProfile: 'unconfined' } }, gives: [apparmorProfile, undefined] },
  { field: 'LinuxContainerSecurityContext.apparmorProfile', given: { ...withProfiles, security: { apparmorProfile: 'runtime/default' } }, gives: [apparmorProfile, 'the-default'] },
  {
    field: 'LinuxContainerSecurityContext.apparmorProfile',
    given: { ...withProfiles, security: { apparmorProfile: 'unconfined', apparmor: profile(ProfileType.RuntimeDefault) } },
    gives: [apparmorProfile, 'the-default'],
  },
  {
    field: 'LinuxContainerSecurityContext.apparmorProfile',
    given: { ...withProfiles, security: { apparmorProfile: 'localhost/a b' } },
    refused: ['invalid-argument', `check ${security}.apparmor_profile: "a b" is no name of an AppArmor profile`],
  },
  {
    field: 'LinuxContainerSecurityContext.selinuxOptions',
    given: { security: { selinuxOptions: { ...unset(SELinuxOption), type: 'spc_t' } } },
    gives: [(spec) => spec.process.selinuxLabel, undefined],
  },
  {
    field: 'LinuxContainerSecurityContext.selinuxOptions',
    given: withSelinux,
    gives: [(spec) => [selinuxLabel(spec), spec.linux.mountLabel], ['system_u:system_r:container_t:s0:c7,c8', 'system_u:object_r:container_file_t:s0:c7,c8']],
  },
  {
    field: 'LinuxContainerSecurityContext.selinuxOptions',
    given: { ...withSelinux, security: { privileged: true } },
    gives: [(spec) => [selinuxLabel(spec), spec.linux.mountLabel], [undefined, 'system_u:object_r:container_file_t:s0:c7,c8']],
  },
  { field: 'SELinuxOption.user', given: selinux({ user: 'u' }), gives: [(spec) => [selinuxLabel(spec), spec.linux.mountLabel], ['u:system_r:container_t:s0:c7,c8', 'u:object_r:container_file_t:s0:c7,c8']] },
  { field: 'SELinuxOption.role', given: selinux({ role: 'r' }), gives: [selinuxLabel, 'system_u:r:container_t:s0:c7,c8'] },
  { field: 'SELinuxOption.type', given: selinux({ type: 'spc_t' }), gives: [selinuxLabel, 'system_u:system_r:spc_t:s0:c7,c8'] },
  {
    field: 'SELinuxOption.type',
    given: selinux({ type: 't:s0' }),
    refused: ['invalid-argument', `check ${security}.selinux_options.type: "t:s0" is no part of an SELinux label`],
  },
  {
    field: 'SELinuxOption.level',
    given: selinux({ level: 's0:c1,c2' }),
    gives: [(spec) => [selinuxLabel(spec), spec.linux.mountLabel], ['system_u:system_r:container_t:s0:c1,c2', 'system_u:object_r:container_file_t:s0:c1,c2']],
  },
  {
    field: 'SELinuxOption.level',
    given: selinux({ level: 's0,context="x"' }),
    refused: ['invalid-argument', `check ${security}.selinux_options.level: "s0,context=\\"x\\"" is no part of an SELinux label`],
  },

  // With which files
  {
    field: 'ContainerConfig.mounts',
    given: { mount: {} },
    gives: [(spec) => spec.mounts.filter((mount) => mount.source === '/srv/data'), [{ destination: '/data', type: 'bind', source: '/srv/data', options: ['rbind', 'rprivate', 'rw'] }]],
  },
  {
    field: 'Mount.containerPath',
    given: { mount: { containerPath: '/a/../b' } },
    refused: ['invalid-argument', 'check config.mounts[0].container_path: "/a/../b" has an element ..'],
  },
  {
    field: 'Mount.containerPath',
    given: { mount: { containerPath: 'data' } },
    refused: ['invalid-argument', 'check config.mounts[0].container_path: "data" is not an absolute path'],
  },
  {
    field: 'Mount.containerPath',
    given: { mount: { containerPath: '/' } },
    refused: ['invalid-argument', 'check config.mounts[0].container_path: the root itself cannot be mounted over'],
  },
  { field: 'Mount.hostPath', given: { mount: { hostPath: '' } }, refused: ['invalid-argument', 'check config.mounts[0].host_path: "" is not an absolute path'] },
  { field: 'Mount.readonly', given: { mount: { readonly: true } }, gives: [volume, ['rbind', 'rprivate', 'ro']] },
  { field: 'Mount.recursiveReadOnly', given: { mount: { readonly: true, recursiveReadOnly: true } }, gives: [volume, ['rbind', 'rprivate', 'rro']] },
  {
    field: 'Mount.recursiveReadOnly',
    given: { mount: { recursiveReadOnly: true } },
    refused: ['invalid-argument', 'check config.mounts[0].recursive_read_only: it needs readonly too'],
  },
  {
    field: 'Mount.recursiveReadOnly',
    given: { mount: { readonly: true, recursiveReadOnly: true, propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER } },
    refused: ['invalid-argument', 'check config.mounts[0].recursive_read_only: it needs private propagation'],
  },
  {
    field: 'Mount.recursiveReadOnly',
    given: { mount: { readonly: true, recursiveReadOnly: true }, facts: { recursiveReadOnly: false } },
    refused: ['failed-precondition', 'mount read-only recursively /data: it needs Linux 5.12 or newer'],
  },
  {
    field: 'Mount.propagation',
    given: { mount: { propagation: MountPropagation.PROPAGATION_BIDIRECTIONAL } },
    gives: [(spec) => [volume(spec), spec.linux.rootfsPropagation], [['rbind', 'rshared', 'rw'], 'rshared']],
  },
  {
    field: 'Mount.propagation',
    given: { mount: { propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER } },
    gives: [(spec) => [volume(spec), spec.linux.rootfsPropagation], [['rbind', 'rslave', 'rw'], 'rslave']],
  },
  {
    field: 'Mount.propagation',
    given: { mount: { propagation: 5 as MountPropagation } },
    refused: ['invalid-argument', 'check config.mounts[0].propagation: 5 is not a value that this version knows'],
  },
  { field: 'Mount.selinuxRelabel', given: { mount: { selinuxRelabel: true } }, gives: [volume, ['rbind', 'rprivate', 'rw']] },
  {
    field: 'Mount.uidMappings',
    given: { ...users({}), mount: { uidMappings: [idMapping({})], gidMappings: [idMapping({ hostId: 7 })] } },
    gives: [
      (spec) => spec.mounts.filter((mount) => mount.destination === '/data').map(({ uidMappings, gidMappings }) => [uidMappings, gidMappings]),
      [[[{ containerID: 0, hostID: 65_536, size: 65_536 }], [{ containerID: 0, hostID: 7, size: 65_536 }]]],
    ],
  },
  {
    field: 'Mount.uidMappings',
    given: { ...users({}), mount: { uidMappings: [idMapping({ containerId: 3 })], gidMappings: [idMapping({})] } },
    refused: ['invalid-argument', 'check config.mounts[0].uidMappings[0].container_id: it is 3, but 0, the root of the pod, has to be mapped'],
  },
  {
    field: 'Mount.uidMappings',
    given: { mount: { uidMappings: [idMapping({})], gidMappings: [idMapping({})] } },
    refused: ['invalid-argument', 'check config.mounts[0].uidMappings: the pod has no user namespace of its own whose ids it could map'],
  },
  {
    field: 'Mount.gidMappings',
    given: { ...users({}), mount: { uidMappings: [idMapping({})] } },
    refused: ['invalid-argument', 'check config.mounts[0].gidMappings: there has to be exactly one mapping, not 0'],
  },
  { field: 'Mount.image', given: imageVolume({}), gives: [sourceOfVolume, { source: '/run/containers/1/images/0', options: ['rbind', 'rprivate', 'ro'] }] },
  {
    field: 'Mount.image',
    given: imageVolume({ recursiveReadOnly: true, mountOptions: ['noexec'] }),
    gives: [sourceOfVolume, { source: '/run/containers/1/images/0', options: ['rbind', 'rprivate', 'rro', 'noexec'] }],
  },
  {
    field: 'Mount.image',
    given: { ...imageVolume({ uidMappings: [idMapping({})], gidMappings: [idMapping({})] }), ...users({}) },
    gives: [sourceOfVolume, { source: '/run/containers/1/images/0', options: ['rbind', 'rprivate', 'ro'] }],
  },
  {
    field: 'Mount.image',
    given: imageVolume({ readonly: false }),
    refused: ['invalid-argument', 'check config.mounts[0].readonly: an image can only be mounted read-only'],
  },
  {
    field: 'Mount.image',
    given: imageVolume({ hostPath: '/srv/data' }),
    refused: ['invalid-argument', 'check config.mounts[0].host_path: it is one or the other: host_path or image'],
  },
  {
    field: 'ImageSpec.image',
    given: imageVolume({ image: unset(ImageSpec) }),
    refused: ['invalid-argument', 'check config.mounts[0].image.image: it is missing'],
  },
  {
    field: 'ImageSpec.userSpecifiedImage',
    given: { config: { image: { ...unset(ImageSpec), image: 'sha256:1', userSpecifiedImage: 'shop:2' } } },
    gives: [(spec) => spec.annotations['io.kubernetes.cri.image-name'], 'shop:2'],
  },
  { field: 'Mount.imageSubPath', given: imageVolume({ imageSubPath: 'a/./b' }), gives: [volume, ['rbind', 'rprivate', 'ro']] },
  {
    field: 'Mount.imageSubPath',
    given: imageVolume({ imageSubPath: '/a' }),
    refused: ['invalid-argument', 'check config.mounts[0].image_sub_path: "/a" is not a relative path'],
  },
  {
    field: 'Mount.imageSubPath',
    given: imageVolume({ imageSubPath: 'a/../../b' }),
    refused: ['invalid-argument', 'check config.mounts[0].image_sub_path: "/a/../../b" has an element ..'],
  },
  {
    field: 'Mount.imageSubPath',
    given: imageVolume({ imageSubPath: 'a\0' }),
    refused: ['invalid-argument', 'check config.mounts[0].image_sub_path: it has a NUL byte'],
  },
  { field: 'Mount.imageSubPath', given: { mount: { imageSubPath: 'a' } }, gives: [volume, ['rbind', 'rprivate', 'rw']] },
  {
    field: 'Mount.mountOptions',
    given: { mount: { mountOptions: ['nosuid', 'noexec', 'nodev'], readonly: true, recursiveReadOnly: true } },
    gives: [volume, ['rbind', 'rprivate', 'rro', 'nosuid', 'noexec', 'nodev']],
  },
  { field: 'Mount.mountOptions', given: { mount: { mountOptions: ['noexec', 'nodev', 'noexec'] } }, gives: [volume, ['rbind', 'rprivate', 'rw', 'noexec', 'nodev']] },
  {
    field: 'Mount.mountOptions',
    given: { mount: { mountOptions: ['exec'] } },
    refused: ['invalid-argument', 'check config.mounts[0].mount_options[0]: "exec" is none of noexec, nodev, nosuid'],
  },

  // With which devices
  {
    field: 'ContainerConfig.devices',
    given: device({}),
    gives: [(spec) => spec.linux.devices, [{ type: 'c', path: '/dev/in', major: 1, minor: 5, fileMode: 0o666, uid: 0, gid: 0 }]],
  },
  {
    field: 'Device.permissions',
    given: device({ permissions: 'rw' }),
    gives: [(spec) => spec.linux.resources.devices, [{ allow: false, access: 'rwm' }, { allow: true, type: 'c', major: 1, minor: 5, access: 'rw' }]],
  },
  {
    field: 'Device.permissions',
    given: device({ permissions: 'rwx' }),
    refused: ['invalid-argument', 'check config.devices[0].permissions: "rwx" is not made of r, w and m'],
  },
  { field: 'Device.containerPath', given: device({ containerPath: '' }), gives: [(spec) => spec.linux.devices[0]?.path, '/dev/zero'] },
  {
    field: 'Device.containerPath',
    given: device({ containerPath: '../in' }),
    refused: ['invalid-argument', 'check config.devices[0].container_path: "../in" is not an absolute path'],
  },
  {
    field: 'Device.hostPath',
    given: device({ hostPath: '/dev/absent' }),
    refused: ['failed-precondition', 'use device /dev/absent: there is no such file on this node'],
  },

  {
    field: 'Device.hostPath',
    given: device({ hostPath: 'null' }),
    refused: ['invalid-argument', 'check config.devices[0].host_path: "null" is not an absolute path'],
  },
  {
    field: 'Device.hostPath',
    given: device({ hostPath: '/dev/net/../null' }),
    refused: ['invalid-argument', 'check config.devices[0].host_path: "/dev/net/../null" has an element ..'],
  },
  {
    field: 'Device.hostPath',
    given: device({ hostPath: '/etc/passwd' }),
    refused: ['failed-precondition', 'use device /etc/passwd: it is neither a device nor a directory'],
  },

  {
    field: 'LinuxContainerSecurityContext.runAsUser',
    given: { ...device({}), security: { runAsUser: { value: 1000n }, runAsGroup: { value: 7n } }, defaults: { devicesToUser: true } },
    gives: [(spec) => spec.linux.devices.map(({ uid, gid }) => [uid, gid]), [[1000, 7]]],
  },
  {
    field: 'LinuxContainerSecurityContext.privileged',
    given: { ...device({}), security: { privileged: true }, handler: { privilegedDevices: 'none' } },
    gives: [(spec) => [spec.linux.devices.length, spec.linux.resources.devices], [1, [{ allow: false, access: 'rwm' }, { allow: true, type: 'c', major: 1, minor: 5, access: 'rw' }]]],
  },

  // With how much of the machine
  { field: 'LinuxContainerResources.cpuPeriod', given: { resources: { cpuPeriod: 100_000n } }, gives: [resources, { cpu: { period: 100_000n }, devices: undefined }] },
  {
    field: 'LinuxContainerResources.cpuPeriod',
    given: { resources: { cpuPeriod: -1n } },
    refused: ['invalid-argument', 'check config.linux.resources.cpu_period: -1 is not from 1000 to 1000000 microseconds'],
  },
  {
    field: 'LinuxContainerResources.cpuPeriod',
    given: { resources: { cpuPeriod: 1_000_001n } },
    refused: ['invalid-argument', 'check config.linux.resources.cpu_period: 1000001 is not from 1000 to 1000000 microseconds'],
  },
  { field: 'LinuxContainerResources.cpuQuota', given: { resources: { cpuQuota: -1n } }, gives: [resources, { cpu: { quota: -1n }, devices: undefined }] },
  { field: 'LinuxContainerResources.cpuQuota', given: { resources: { cpuQuota: -1n }, facts: { cgroupMode: 'hybrid' } }, gives: [resources, { devices: undefined }] },
  { field: 'LinuxContainerResources.cpuQuota', given: { resources: { cpuQuota: 1000n } }, gives: [resources, { cpu: { quota: 1000n }, devices: undefined }] },
  {
    field: 'LinuxContainerResources.cpuQuota',
    given: { resources: { cpuQuota: 999n } },
    refused: ['invalid-argument', 'check config.linux.resources.cpu_quota: 999 is neither -1 (no limit) nor 1000 or more microseconds'],
  },
  {
    field: 'LinuxContainerResources.cpuShares',
    given: { resources: { cpuShares: 1n } },
    refused: ['invalid-argument', 'check config.linux.resources.cpu_shares: 1 is not from 2 to 262144'],
  },
  { field: 'LinuxContainerResources.cpuShares', given: { resources: { cpuShares: 2n } }, gives: [resources, { cpu: { shares: 2n }, devices: undefined }] },
  { field: 'LinuxContainerResources.cpusetCpus', given: { resources: { cpusetCpus: '0-1,3' } }, gives: [resources, { cpu: { cpus: '0-1,3' }, devices: undefined }] },
  {
    field: 'LinuxContainerResources.cpusetCpus',
    given: { resources: { cpusetCpus: '0-' } },
    refused: ['invalid-argument', 'check config.linux.resources.cpuset_cpus: "0-" is not a list such as 0-3,7'],
  },
  { field: 'LinuxContainerResources.cpusetMems', given: { resources: { cpusetMems: '0' } }, gives: [resources, { cpu: { mems: '0' }, devices: undefined }] },
  {
    field: 'LinuxContainerResources.cpusetMems',
    given: { resources: { cpusetMems: '0\n' } },
    refused: ['invalid-argument', 'check config.linux.resources.cpuset_mems: "0\\n" is not a list such as 0-3,7'],
  },
  {
    field: 'LinuxContainerResources.memoryLimitInBytes',
    given: { resources: { memoryLimitInBytes: 64n << 20n } },
    gives: [resources, { memory: { limit: 64n << 20n, swap: 64n << 20n }, devices: undefined }],
  },
  {
    field: 'LinuxContainerResources.memoryLimitInBytes',
    given: { resources: { memoryLimitInBytes: 64n << 20n }, facts: { swapAccounting: false } },
    gives: [resources, { memory: { limit: 64n << 20n }, devices: undefined }],
  },
  {
    field: 'LinuxContainerResources.memoryLimitInBytes',
    given: { resources: { memoryLimitInBytes: -2n } },
    refused: ['invalid-argument', 'check config.linux.resources.memory_limit_in_bytes: -2 is less than -1'],
  },
  {
    field: 'LinuxContainerResources.memoryLimitInBytes',
    given: { resources: { memoryLimitInBytes: -1n } },
    gives: [resources, { memory: { limit: -1n, swap: -1n }, devices: undefined }],
  },
  {
    field: 'LinuxContainerResources.memorySwapLimitInBytes',
    given: { resources: { memoryLimitInBytes: 5n, memorySwapLimitInBytes: -1n } },
    gives: [resources, { memory: { limit: 5n, swap: -1n }, devices: undefined }],
  },
  {
    field: 'LinuxContainerResources.memorySwapLimitInBytes',
    given: { resources: { memorySwapLimitInBytes: 8n } },
    refused: ['invalid-argument', 'check config.linux.resources.memory_swap_limit_in_bytes: 8 is memory and swap together: it needs memory_limit_in_bytes too'],
  },
  {
    field: 'LinuxContainerResources.memorySwapLimitInBytes',
    given: { resources: { memorySwapLimitInBytes: -2n } },
    refused: ['invalid-argument', 'check config.linux.resources.memory_swap_limit_in_bytes: -2 is less than -1'],
  },
  {
    field: 'LinuxContainerResources.memorySwapLimitInBytes',
    given: { resources: { memoryLimitInBytes: 5n, memorySwapLimitInBytes: 8n } },
    gives: [resources, { memory: { limit: 5n, swap: 8n }, devices: undefined }],
  },
  {
    field: 'LinuxContainerResources.memorySwapLimitInBytes',
    given: { resources: { memoryLimitInBytes: 8n, memorySwapLimitInBytes: 5n } },
    refused: ['invalid-argument', 'check config.linux.resources.memory_swap_limit_in_bytes: 5 is memory and swap together and cannot be less than memory_limit_in_bytes, 8'],
  },
  { field: 'LinuxContainerResources.oomScoreAdj', given: { resources: { oomScoreAdj: -998n } }, gives: [(spec) => spec.process.oomScoreAdj, -998] },
  {
    field: 'LinuxContainerResources.oomScoreAdj',
    given: { resources: { oomScoreAdj: -998n }, facts: { hasSysResource: false, oomScoreAdj: -5 } },
    gives: [(spec) => spec.process.oomScoreAdj, -5],
  },
  {
    field: 'LinuxContainerResources.oomScoreAdj',
    given: { resources: { oomScoreAdj: 1001n } },
    refused: ['invalid-argument', 'check config.linux.resources.oom_score_adj: 1001 is not from -1000 to 1000'],
  },
  {
    field: 'LinuxContainerResources.hugepageLimits',
    given: { resources: { hugepageLimits: [{ pageSize: '2MB', limit: 0n }] } },
    gives: [resources, { hugepageLimits: [{ pageSize: '2MB', limit: 0n }], devices: undefined }],
  },
  {
    field: 'HugepageLimit.limit',
    given: { resources: { hugepageLimits: [{ pageSize: '2MB', limit: 9n }] }, facts: { hugetlb: false } },
    gives: [resources, { devices: undefined }],
  },
  {
    field: 'HugepageLimit.pageSize',
    given: { resources: { hugepageLimits: [{ pageSize: '2M', limit: 0n }] } },
    refused: ['invalid-argument', 'check config.linux.resources.hugepage_limits[0].page_size: "2M" is not a size such as 2MB'],
  },
  {
    field: 'LinuxContainerResources.unified',
    given: { resources: { unified: { 'memory.high': '1024' } } },
    gives: [resources, { unified: { 'memory.high': '1024' }, devices: undefined }],
  },
  {
    field: 'LinuxContainerResources.unified',
    given: { resources: { unified: { 'memory.high': '1\0' } } },
    refused: ['invalid-argument', 'check config.linux.resources.unified[memory.high]: it has a NUL byte'],
  },
  {
    field: 'LinuxContainerResources.unified',
    given: { resources: { unified: { '../memory.max': '1' } } },
    refused: ['invalid-argument', 'check config.linux.resources.unified: "../memory.max" is no key of a cgroup controller'],
  },
  {
    field: 'LinuxContainerResources.unified',
    given: { resources: { unified: { 'cgroup.procs': '1' } } },
    refused: ['invalid-argument', 'check config.linux.resources.unified: "cgroup.procs" is no key of a cgroup controller'],
  },
  {
    field: 'LinuxContainerResources.unified',
    given: { resources: { unified: { 'memory.high': '1' } }, facts: { cgroupMode: 'hybrid' } },
    refused: ['failed-precondition', 'set config.linux.resources.unified: this node has cgroup v1, where these keys mean nothing'],
  },

  {
    field: 'LinuxContainerConfig.resources',
    given: { resources: { cpuShares: 2n }, input: { blockIo: { weight: 50, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9n }] } } },
    gives: [resources, { cpu: { shares: 2n }, blockIO: { weight: 50, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9n }] }, devices: undefined }],
  },
  { field: 'LinuxContainerConfig.resources', given: { input: { rdtClass: 'gold' } }, gives: [(spec) => spec.linux.intelRdt, { closID: 'gold' }] },

  // How it ends
  {
    field: 'ContainerConfig.stopSignal',
    given: { config: { stopSignal: 99 as Signal } },
    refused: ['invalid-argument', 'check config.stop_signal: 99 is not a value that this version knows'],
  },
];

let rootfs = '';

before(async () => {
  rootfs = await mkdtemp(join(tmpdir(), 'gantry-fields-'));
  await mkdir(join(rootfs, 'etc'));
  await writeFile(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nada:x:1000:1001:Ada:/home/ada:/bin/sh\n');
  await writeFile(join(rootfs, 'etc/group'), 'root:x:0:\nada:x:1001:\nusers:x:50:eve,ada\n');
});
after(() => rm(rootfs, { recursive: true, force: true }));

/** Everything that a caller does with a container's config, in its order. */
async function build(changes: Changes): Promise<OciSpec> {
  const { config } = exampleInput(changes);
  effectiveStopSignal(config, {});
  const identity = await resolveUser(rootfs, config.linux?.securityContext, '');
  const devices = await resolveDevices(config.devices);
  return buildContainerSpec(exampleInput({ ...changes, input: { identity, devices, ...changes.input } }));
}

for (const row of rows) {
  const given = JSON.stringify(row.given, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)).slice(0, 120);
  if ('refused' in row) {
    test(`${row.field} ${given} is refused: ${row.refused[1]}`, async () => {
      await assert.rejects(build(row.given), { kind: row.refused[0], message: row.refused[1] });
    });
  } else {
    test(`${row.field} ${given} is in the spec`, async () => {
      assert.deepEqual(row.gives[0](await build(row.given)), row.gives[1]);
    });
  }
}

test('a refused recursive read-only mount carries the reason that the kubelet knows', async () => {
  const given: Changes = { mount: { readonly: true, recursiveReadOnly: true }, facts: { recursiveReadOnly: false } };

  await assert.rejects(build(given), { criReason: 'RROUnsupported' });
});

test('every field of the CRI messages that shape a container has a row', () => {
  const fields = Object.entries(messages).flatMap(([message, { decode }]) => Object.keys(decode(new Uint8Array())).map((key) => `${message}.${key}`));
  const covered = new Set<string>([...rows.map((row) => row.field), ...Object.keys(elsewhere)]);

  assert.deepEqual(fields.filter((field) => !covered.has(field)), []);
  assert.deepEqual([...covered].filter((field) => !fields.includes(field)), [], 'rows for fields that do not exist');
});
