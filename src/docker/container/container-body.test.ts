/** What each CRI field becomes in the Engine's request to make a container. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorKind } from '../../base/errors.ts';
import { Capability, Device, HugepageLimit, KeyValue, MountPropagation, NamespaceMode, SecurityProfile_ProfileType as ProfileType, Signal } from '../../gen/cri.ts';
import { exampleInput, unset } from '../../part/spec/example-input.fake.ts';
import type { Changes } from '../../part/spec/example-input.fake.ts';
import { containerBody } from './container-body.ts';
import type { ContainerInput } from './container-body.ts';

const podId = 'f00d'.repeat(16);

interface Body extends Record<string, unknown> {
  readonly HostConfig: Readonly<Record<string, unknown>>;
}

function body(changes: Changes = {}, input: Partial<ContainerInput> = {}): Body {
  const { config, podConfig, facts, defaults } = exampleInput(changes);
  return containerBody({
    config, podConfig, facts, defaults, podId, imageId: 'sha256:i', imageEnv: ['OF_IMAGE=1'], handler: '', labels: { a: 'b' }, cgroupDriver: 'cgroupfs', version: '1.41',
    localhostSeccomp: undefined, apparmor: true, ...input,
  }) as Body;
}

const host = (member: string) => (of: Body): unknown => of.HostConfig[member];
const own = (member: string) => (of: Body): unknown => of[member];
const profile = (profileType: ProfileType, localhostRef = ''): { profileType: ProfileType; localhostRef: string } => ({ profileType, localhostRef });
const bind = (fields: object, BindOptions: object): unknown => [{ Type: 'bind', Source: '/srv/data', Target: '/data', ReadOnly: false, BindOptions, ...fields }];

interface Row {
  readonly of: string;
  readonly given: Changes;
  readonly input?: Partial<ContainerInput>;
  readonly gives: readonly [where: (of: Body) => unknown, expected: unknown];
}

const rows: readonly Row[] = [
  { of: 'command', given: {}, gives: [own('Entrypoint'), ['/bin/serve']] },
  { of: 'no command', given: { config: { command: [] } }, gives: [own('Entrypoint'), undefined] },
  { of: 'args', given: { config: { args: ['-x', ''] } }, gives: [own('Cmd'), ['-x', '']] },
  { of: 'working_dir', given: { config: { workingDir: '/srv/' } }, gives: [own('WorkingDir'), '/srv'] },
  { of: 'envs', given: { config: { envs: [{ ...unset(KeyValue), key: 'A', value: Buffer.from('b=c') }] } }, gives: [own('Env'), ['A=b=c']] },
  { of: "the node's environment, where the image has none of the name", given: { defaults: { env: { OF_NODE: '1', OF_IMAGE: '2' } } }, gives: [own('Env'), ['OF_NODE=1']] },
  { of: 'tty', given: { config: { tty: true } }, gives: [own('Tty'), true] },
  { of: 'stdin', given: { config: { stdin: true } }, gives: [own('OpenStdin'), true] },
  { of: 'stdin_once', given: { config: { stdinOnce: true } }, gives: [own('StdinOnce'), true] },
  { of: 'stop_signal', given: { config: { stopSignal: Signal.SIGNAL_SIGUSR1 } }, gives: [own('StopSignal'), '10'] },
  { of: 'no stop_signal', given: {}, gives: [own('StopSignal'), undefined] },
  { of: 'image and labels', given: {}, gives: [({ Image, Labels }) => [Image, Labels], ['sha256:i', { a: 'b' }]] },
  { of: 'no probe of the image', given: {}, gives: [own('Healthcheck'), { Test: ['NONE'] }] },

  { of: 'run_as_user', given: { security: { runAsUser: { value: 7n } } }, gives: [own('User'), '7'] },
  { of: 'run_as_username and group', given: { security: { runAsUsername: 'app', runAsGroup: { value: 8n } } }, gives: [own('User'), 'app:8'] },
  { of: 'no user', given: {}, gives: [own('User'), undefined] },
  { of: 'supplemental_groups', given: { security: { supplementalGroups: [5n, 6n] } }, gives: [host('GroupAdd'), ['5', '6']] },
  { of: 'readonly_rootfs', given: { security: { readonlyRootfs: true } }, gives: [host('ReadonlyRootfs'), true] },
  { of: 'privileged', given: { security: { privileged: true } }, gives: [({ HostConfig: { Privileged, CapAdd, SecurityOpt } }) => [Privileged, CapAdd, SecurityOpt], [true, undefined, ['seccomp=unconfined', 'apparmor=unconfined']]] },
  { of: 'capabilities', given: { security: { capabilities: { ...unset(Capability), dropCapabilities: ['ALL'], addCapabilities: ['net_admin'] } } }, gives: [({ HostConfig: { CapDrop, CapAdd } }) => [CapDrop, CapAdd], [['ALL'], ['CAP_NET_ADMIN']]] },
  { of: "the node's capabilities", given: { defaults: { capabilities: ['CAP_CHOWN'] } }, gives: [host('CapAdd'), ['CAP_CHOWN']] },
  { of: 'no_new_privs', given: { security: { noNewPrivs: true, seccomp: profile(ProfileType.RuntimeDefault) } }, gives: [host('SecurityOpt'), ['no-new-privileges']] },
  { of: 'no seccomp', given: {}, gives: [host('SecurityOpt'), ['seccomp=unconfined']] },
  { of: 'seccomp Localhost', given: { security: { seccomp: profile(ProfileType.Localhost, '/p.json') } }, input: { localhostSeccomp: '{}' }, gives: [host('SecurityOpt'), ['seccomp={}']] },
  { of: 'apparmor Localhost', given: { security: { apparmor: profile(ProfileType.Localhost, 'mine'), seccomp: profile(ProfileType.RuntimeDefault) } }, gives: [host('SecurityOpt'), ['apparmor=mine']] },
  { of: 'apparmor on a node without', given: { security: { apparmor: profile(ProfileType.Unconfined), seccomp: profile(ProfileType.RuntimeDefault) } }, input: { apparmor: false }, gives: [host('SecurityOpt'), []] },
  { of: 'selinux_options', given: { security: { selinuxOptions: { user: '', role: '', type: 'spc_t', level: 's0:c1,c2' }, seccomp: profile(ProfileType.RuntimeDefault) } }, gives: [host('SecurityOpt'), ['label=type:spc_t', 'label=level:s0:c1,c2']] },
  { of: 'masked_paths, and no readonly_paths', given: { security: { maskedPaths: ['/proc/acpi'] } }, gives: [({ HostConfig: { MaskedPaths, ReadonlyPaths } }) => [MaskedPaths, ReadonlyPaths], [['/proc/acpi'], []]] },

  { of: 'namespaces of the pod', given: { namespaces: { pid: NamespaceMode.POD } }, gives: [({ HostConfig: { NetworkMode, IpcMode, PidMode, UTSMode } }) => [NetworkMode, IpcMode, PidMode, UTSMode], [`container:${podId}`, `container:${podId}`, `container:${podId}`, undefined]] },
  { of: 'pid CONTAINER', given: { namespaces: { pid: NamespaceMode.CONTAINER } }, gives: [host('PidMode'), undefined] },
  { of: 'pid TARGET', given: { namespaces: { pid: NamespaceMode.TARGET, targetId: 'c0' } }, gives: [host('PidMode'), 'container:c0'] },
  { of: 'namespaces of the node', given: { namespaces: { network: NamespaceMode.NODE, pid: NamespaceMode.NODE, ipc: NamespaceMode.NODE } }, gives: [({ HostConfig: { NetworkMode, IpcMode, PidMode, UTSMode } }) => [NetworkMode, IpcMode, PidMode, UTSMode], [`container:${podId}`, 'host', 'host', 'host']] },

  { of: 'a mount', given: { mount: {} }, gives: [host('Mounts'), bind({}, { Propagation: 'rprivate' })] },
  { of: 'readonly and propagation', given: { mount: { readonly: true, propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER } }, gives: [host('Mounts'), bind({ ReadOnly: true }, { Propagation: 'rslave' })] },
  { of: 'bidirectional propagation', given: { mount: { propagation: MountPropagation.PROPAGATION_BIDIRECTIONAL } }, gives: [host('Mounts'), bind({}, { Propagation: 'rshared' })] },
  { of: 'readonly for an Engine that would make it so recursively', given: { mount: { readonly: true } }, input: { version: '1.44' }, gives: [host('Mounts'), bind({ ReadOnly: true }, { Propagation: 'rprivate', ReadOnlyNonRecursive: true })] },
  { of: 'recursive_read_only', given: { mount: { readonly: true, recursiveReadOnly: true } }, input: { version: '1.44' }, gives: [host('Mounts'), bind({ ReadOnly: true }, { Propagation: 'rprivate', ReadOnlyForceRecursive: true })] },
  { of: 'selinux_relabel', given: { mount: { selinuxRelabel: true, readonly: true } }, gives: [({ HostConfig: { Mounts, Binds } }) => [Mounts, Binds], [[], ['/srv/data:/data:ro,rprivate,z']]] },
  { of: 'devices', given: { config: { devices: [{ ...unset(Device), hostPath: '/dev/fuse', containerPath: '', permissions: 'rw' }] } }, gives: [host('Devices'), [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rw' }]] },
  { of: 'CDI_devices', given: { config: { CDIDevices: [{ name: 'v.com/c=1' }] } }, gives: [host('DeviceRequests'), [{ Driver: 'cdi', DeviceIDs: ['v.com/c=1'] }]] },

  { of: 'cpu', given: { resources: { cpuPeriod: 100_000n, cpuQuota: 50_000n, cpuShares: 512n, cpusetCpus: '0-1', cpusetMems: '0' } }, gives: [({ HostConfig: { CpuPeriod, CpuQuota, CpuShares, CpusetCpus, CpusetMems } }) => [CpuPeriod, CpuQuota, CpuShares, CpusetCpus, CpusetMems], [100_000, 50_000, 512, '0-1', '0']] },
  { of: 'memory without a word on swap', given: { resources: { memoryLimitInBytes: 1024n } }, gives: [({ HostConfig: { Memory, MemorySwap } }) => [Memory, MemorySwap], [1024, 1024]] },
  { of: 'memory and swap', given: { resources: { memoryLimitInBytes: 1024n, memorySwapLimitInBytes: 4096n } }, gives: [host('MemorySwap'), 4096] },
  { of: 'huge pages, which the kernel is told', given: { resources: { hugepageLimits: [{ ...unset(HugepageLimit), pageSize: '2MB', limit: 0n }] } }, gives: [host('Memory'), undefined] },
  { of: 'oom_score_adj', given: { resources: { oomScoreAdj: -5n } }, gives: [host('OomScoreAdj'), -5] },
  { of: 'oom_score_adj that nobody here may set', given: { resources: { oomScoreAdj: -5n }, facts: { hasSysResource: false } }, gives: [host('OomScoreAdj'), 0] },
  { of: 'no limits', given: {}, gives: [({ HostConfig: { Memory, CpuShares, OomScoreAdj } }) => [Memory, CpuShares, OomScoreAdj], [undefined, undefined, 0]] },
  { of: "the node's limit of processes", given: { defaults: { pidsLimit: 100 } }, gives: [host('PidsLimit'), 100] },
  { of: "the node's ulimits", given: { defaults: { ulimits: [{ name: 'nofile', soft: 10, hard: 20 }] } }, gives: [host('Ulimits'), [{ Name: 'nofile', Soft: 10, Hard: 20 }]] },
  { of: 'the handler', given: {}, input: { handler: 'runsc' }, gives: [host('Runtime'), 'runsc'] },
  { of: "the pod's cgroup", given: {}, gives: [host('CgroupParent'), ''] },
];

for (const { of, given, input, gives: [where, expected] } of rows) {
  test(`${of}`, () => assert.deepEqual(where(body(given, input)), expected));
}

test("the pod's cgroup is named to the Engine as its driver wants it", () => {
  const { podConfig } = exampleInput();
  const below = (cgroupParent: string): Partial<ContainerInput> => ({ podConfig: { ...podConfig, linux: { ...podConfig.linux!, cgroupParent } } });

  assert.equal(host('CgroupParent')(body({}, below('/kubepods/pod1'))), '/kubepods/pod1');
  assert.equal(host('CgroupParent')(body({}, { ...below('/kubepods.slice/kubepods-pod1.slice'), cgroupDriver: 'systemd' })), 'kubepods-pod1.slice');
});

const refused: readonly { readonly of: string; readonly given: Changes; readonly input?: Partial<ContainerInput>; readonly refusal: readonly [ErrorKind, RegExp] }[] = [
  { of: 'an empty program', given: { config: { command: [''] } }, refusal: ['invalid-argument', /^check config\.command\[0\]: the program has an empty name$/] },
  { of: 'a variable without a name', given: { config: { envs: [{ ...unset(KeyValue), key: 'a=b' }] } }, refusal: ['invalid-argument', /^check config\.envs\[0\]\.key: "a=b" is no name of a variable$/] },
  { of: 'a value that is not UTF-8', given: { config: { envs: [{ ...unset(KeyValue), key: 'A', value: Buffer.from([0xff]) }] } }, refusal: ['invalid-argument', /^check config\.envs\[0\]\.value: the value of "A" is not UTF-8, the only encoding that the Docker Engine takes$/] },
  { of: 'a group without a user', given: { security: { runAsGroup: { value: 1n } } }, refusal: ['invalid-argument', /run_as_group: it needs run_as_user or run_as_username$/] },
  { of: 'a user with a colon', given: { security: { runAsUsername: 'a:b' } }, refusal: ['invalid-argument', /run_as_username: it has a colon$/] },
  { of: 'an AppArmor profile where there is no AppArmor', given: { security: { apparmor: profile(ProfileType.Localhost, 'mine') } }, input: { apparmor: false }, refusal: ['invalid-argument', /apparmor\.localhost_ref: the Docker Engine does not confine with AppArmor on this node$/] },
  { of: 'permissions of a device', given: { config: { devices: [{ ...unset(Device), hostPath: '/dev/fuse', permissions: 'x' }] } }, refusal: ['invalid-argument', /^check config\.devices\[0\]\.permissions: "x" is not made of r, w and m$/] },
  { of: 'a relative path', given: { mount: { containerPath: 'data' } }, refusal: ['invalid-argument', /container_path: "data" is not an absolute path$/] },
  { of: 'a cgroup parent outside', given: {}, input: { podConfig: { ...exampleInput().podConfig, linux: { ...exampleInput().podConfig.linux!, cgroupParent: '/..' } } }, refusal: ['invalid-argument', /^check config\.linux\.cgroup_parent: /] },
  { of: 'limits that no node could keep', given: { resources: { cpuShares: 1n } }, refusal: ['invalid-argument', /^check config\.linux\.resources\.cpu_shares: 1 is not from 2 to 262144$/] },
];

for (const { of, given, input, refusal: [kind, message] } of refused) {
  test(`refused: ${of}`, () => assert.throws(() => body(given, input), { kind, message }));
}
