/** What each field of a pod's requests does, or why it is refused: one row or more for every field, and a test that no field is without one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorKind } from '../../base/errors.ts';
import {
  DNSConfig, LinuxContainerResources, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata, PortMapping,
  SecurityProfile_ProfileType as ProfileType, SELinuxOption, UserNamespace, WindowsPodSandboxConfig,
} from '../../gen/cri.ts';
import { faultsOfTable } from '../../gen/request-fields.fake.ts';
import type { Proof } from '../../gen/request-fields.fake.ts';
import { checkPodConfig } from '../../part/spec/check-pod-config.ts';
import { hostnameOf } from './pod-namespaces.ts';
import { resolvConf } from '../../part/spec/resolv-conf.ts';
import { podKey } from '../../part/spec/pod-config.ts';

interface Row {
  /** As the proto spells it. */
  readonly field: string;
  /** Changes of an ordinary config, and the refusal that they meet. */
  readonly given?: Partial<PodSandboxConfig>;
  readonly refused?: string;
  readonly kind?: ErrorKind;
  /** What the config comes to, where that is a value. */
  readonly gives?: readonly [of: (config: PodSandboxConfig) => unknown, expected: unknown];
  readonly proof?: Proof;
}

function unset<T>(message: { decode(bytes: Uint8Array): T }, fields: Partial<T> = {}): T {
  return { ...message.decode(new Uint8Array()), ...fields };
}

const plain: PodSandboxConfig = unset(PodSandboxConfig, { metadata: unset(PodSandboxMetadata, { name: 'web', namespace: 'default', uid: 'u1' }), hostname: 'web-0', logDirectory: '/var/log/pods/web' });
const metadata = (fields: Partial<PodSandboxMetadata>): Partial<PodSandboxConfig> => ({ metadata: { ...plain.metadata!, ...fields } });
const linux = (fields: Partial<LinuxPodSandboxConfig>): Partial<PodSandboxConfig> => ({ linux: unset(LinuxPodSandboxConfig, fields) });
const security = (fields: Partial<LinuxSandboxSecurityContext>): Partial<PodSandboxConfig> => linux({ securityContext: unset(LinuxSandboxSecurityContext, fields) });
const namespaces = (fields: Partial<NamespaceOption>): Partial<PodSandboxConfig> => security({ namespaceOptions: unset(NamespaceOption, fields) });
const dns = (fields: Partial<DNSConfig>): Partial<PodSandboxConfig> => ({ dnsConfig: unset(DNSConfig, fields) });
const port = (fields: Partial<PortMapping>): Partial<PodSandboxConfig> => ({ portMappings: [unset(PortMapping, { containerPort: 80 }), unset(PortMapping, { containerPort: 80, hostPort: 8080, ...fields })] });
const resources = (fields: Partial<LinuxContainerResources>): LinuxContainerResources => unset(LinuxContainerResources, fields);

const notName = 'is no name: slashes, ; and =, control characters and mere dots are not allowed in one';
const context = 'config.linux.security_context';
const proof = (file: string, name: string): Proof => ({ file, test: name });
const inside = (name: string): Proof => proof('test/node/pod-namespaces.test.ts', name);
/** A pod's own process, where it has one, runs as nobody and without any power, whatever its containers are given. */
const noPower = proof('src/part/spec/build-infra-spec.test.ts', 'the infra process has no power');

const rows: readonly Row[] = [
  { field: 'RunPodSandboxRequest.config', proof: proof('test/node/errors.test.ts', 'run pod: config is missing') },
  { field: 'RunPodSandboxRequest.runtime_handler', proof: proof('test/node/refusals.test.ts', 'a pod of an unknown handler is refused') },

  // Who it is
  { field: 'PodSandboxConfig.metadata', given: { metadata: undefined }, refused: 'config.metadata: it is missing' },
  { field: 'PodSandboxMetadata.name', given: metadata({ name: '' }), refused: 'config.metadata.name: it is empty' },
  { field: 'PodSandboxMetadata.name', given: metadata({ name: 'x'.repeat(254) }), refused: 'config.metadata.name: it is longer than 253 bytes' },
  { field: 'PodSandboxMetadata.name', given: metadata({ name: '../etc' }), refused: `config.metadata.name: "../etc" ${notName}` },
  { field: 'PodSandboxMetadata.name', given: metadata({ name: 'a;K8S_POD_UID=1' }), refused: `config.metadata.name: "a;K8S_POD_UID=1" ${notName}` },
  { field: 'PodSandboxMetadata.name', given: metadata({ name: 'a=b' }), refused: `config.metadata.name: "a=b" ${notName}` },
  { field: 'PodSandboxMetadata.namespace', given: metadata({ namespace: '..' }), refused: `config.metadata.namespace: ".." ${notName}` },
  { field: 'PodSandboxMetadata.uid', given: metadata({ uid: 'a\0b' }), refused: `config.metadata.uid: "a\\u0000b" ${notName}` },
  { field: 'PodSandboxMetadata.attempt', given: metadata({ attempt: 4_294_967_295 }), gives: [podKey, '["default","web","u1",4294967295]'] },
  { field: 'PodSandboxConfig.labels', given: { labels: { a: '\0' } }, refused: 'config.labels["a"]: it has a NUL byte' },
  { field: 'PodSandboxConfig.labels', proof: proof('src/engine/cri-contract.suite.ts', 'pods are listed by id, state and labels') },
  { field: 'PodSandboxConfig.annotations', given: { annotations: { '\0': '' } }, refused: 'config.annotations (a key of it): it has a NUL byte' },
  { field: 'PodSandboxConfig.annotations', given: { annotations: { a: 'x'.repeat(1 << 20) } }, refused: 'config.annotations: it has 1048577 bytes in all, and at most 1048576 are taken' },
  { field: 'PodSandboxConfig.annotations', proof: proof('src/engine/cri-contract.suite.ts', 'a pod that was run is ready and listed, as it was asked for') },
  { field: 'PodSandboxConfig.windows', given: { windows: unset(WindowsPodSandboxConfig) }, refused: 'config.windows: this is a Linux node' },

  // What it is called, and where it writes
  { field: 'PodSandboxConfig.hostname', given: { hostname: 'web-1' }, gives: [(config) => hostnameOf({ config }), 'web-1'] },
  { field: 'PodSandboxConfig.hostname', given: { hostname: '', ...metadata({ name: 'x'.repeat(100) }) }, gives: [(config) => hostnameOf({ config }), 'x'.repeat(63)] },
  { field: 'PodSandboxConfig.hostname', given: { hostname: 'a'.repeat(65) }, refused: 'config.hostname: it is longer than 64 bytes' },
  { field: 'PodSandboxConfig.hostname', given: { hostname: 'a\nb' }, refused: 'config.hostname: "a\\nb" is not a host name' },
  { field: 'PodSandboxConfig.log_directory', given: { logDirectory: 'logs' }, refused: 'config.log_directory: "logs" is not an absolute path' },
  { field: 'PodSandboxConfig.log_directory', given: { logDirectory: '/var/log/../../etc' }, refused: 'config.log_directory: "/var/log/../../etc" has an element ..' },
  { field: 'PodSandboxConfig.log_directory', given: { logDirectory: '/a\0' }, refused: 'config.log_directory: it has a NUL byte' },
  { field: 'PodSandboxConfig.log_directory', proof: proof('test/node/container-logs.test.ts', 'the log lies where the pod and the container say') },

  // Its network
  { field: 'PodSandboxConfig.dns_config', given: dns({}), gives: [(config) => resolvConf(config.dnsConfig, 'as on the node'), 'as on the node'] },
  { field: 'PodSandboxConfig.dns_config', proof: inside("the pod's host name and DNS settings are what its containers read") },
  { field: 'DNSConfig.servers', given: dns({ servers: ['10.0.0.1', 'fe80::1%eth0'] }), gives: [(config) => resolvConf(config.dnsConfig, ''), 'nameserver 10.0.0.1\nnameserver fe80::1%eth0\n'] },
  { field: 'DNSConfig.servers', given: dns({ servers: ['10.0.0.1', 'ns.example'] }), refused: 'config.dns_config.servers[1]: "ns.example" is not an IP address' },
  { field: 'DNSConfig.servers', given: dns({ servers: ['10.0.0.1\nnameserver 6.6.6.6'] }), refused: 'config.dns_config.servers[0]: "10.0.0.1\\nnameserver 6.6.6.6" is not one word' },
  { field: 'DNSConfig.searches', given: dns({ searches: ['a.b', 'c'] }), gives: [(config) => resolvConf(config.dnsConfig, ''), 'search a.b c\n'] },
  { field: 'DNSConfig.searches', given: dns({ searches: ['x'.repeat(256)] }), refused: 'config.dns_config.searches[0]: it is longer than 255 bytes' },
  { field: 'DNSConfig.options', given: dns({ options: ['ndots:5'] }), gives: [(config) => resolvConf(config.dnsConfig, ''), 'options ndots:5\n'] },
  { field: 'DNSConfig.options', given: dns({ options: [''] }), refused: 'config.dns_config.options[0]: "" is not one word' },
  { field: 'PodSandboxConfig.port_mappings', proof: proof('test/node/pod-network.test.ts', "a host port leads to the pod from the node's address") },
  { field: 'PortMapping.protocol', given: port({ protocol: 7 as never }), refused: 'config.port_mappings[1].protocol: 7 is not a value that this version knows' },
  { field: 'PortMapping.container_port', given: port({ containerPort: -80 }), refused: 'config.port_mappings[1].container_port: -80 is not a port' },
  { field: 'PortMapping.container_port', given: port({ containerPort: 0 }), refused: 'config.port_mappings[1].container_port: 0 is not a port' },
  { field: 'PortMapping.host_port', given: port({ hostPort: 65_536 }), refused: 'config.port_mappings[1].host_port: 65536 is not a port' },
  { field: 'PortMapping.host_ip', given: port({ hostIp: 'localhost' }), refused: 'config.port_mappings[1].host_ip: "localhost" is not an IP address' },

  // Its walls
  { field: 'PodSandboxConfig.linux', given: { linux: undefined }, gives: [(config) => checkPodConfig(config), undefined] },
  { field: 'LinuxPodSandboxConfig.cgroup_parent', given: linux({ cgroupParent: '/a/../../b' }), refused: 'config.linux.cgroup_parent: "/a/../../b" has an element ..' },
  { field: 'LinuxPodSandboxConfig.cgroup_parent', given: linux({ cgroupParent: 'x.slice:y' }), refused: 'config.linux.cgroup_parent: "x.slice:y" has a colon or a control character in it' },
  { field: 'LinuxPodSandboxConfig.cgroup_parent', given: linux({ cgroupParent: '/a\0' }), refused: 'config.linux.cgroup_parent: it has a NUL byte' },
  { field: 'LinuxPodSandboxConfig.cgroup_parent', proof: proof('test/node/pod-cgroups.test.ts', 'a container is in the cgroup that was named for its pod, in every hierarchy') },
  { field: 'LinuxPodSandboxConfig.sysctls', given: linux({ sysctls: { 'kernel.panic': '1' } }), refused: 'config.linux.sysctls: set sysctl "kernel.panic": it belongs to no namespace of a pod and would change the whole node' },
  { field: 'LinuxPodSandboxConfig.sysctls', given: linux({ sysctls: { 'net/../kernel.panic': '1' } }), refused: 'config.linux.sysctls: set sysctl "net/../kernel.panic": write the name with dots between words of letters, digits, _ and -, and a slash where a word has a dot' },
  { field: 'LinuxPodSandboxConfig.sysctls', proof: inside('sysctls of the pod hold inside and not on the node') },
  { field: 'LinuxPodSandboxConfig.overhead', given: linux({ overhead: resources({ cpuPeriod: -1n }) }), refused: 'config.linux.overhead.cpu_period: -1 is not from 1000 to 1000000 microseconds' },
  { field: 'LinuxPodSandboxConfig.overhead', given: linux({ overhead: resources({ memoryLimitInBytes: -2n }) }), refused: 'config.linux.overhead.memory_limit_in_bytes: -2 is less than -1' },
  { field: 'LinuxPodSandboxConfig.resources', given: linux({ resources: resources({ oomScoreAdj: 1001n }) }), refused: 'config.linux.resources.oom_score_adj: 1001 is not from -1000 to 1000' },
  { field: 'LinuxPodSandboxConfig.resources', given: linux({ resources: resources({ oomScoreAdj: -1001n }) }), refused: 'config.linux.resources.oom_score_adj: -1001 is not from -1000 to 1000' },
  { field: 'LinuxPodSandboxConfig.security_context', proof: noPower },
  { field: 'LinuxSandboxSecurityContext.namespace_options', given: namespaces({ network: NamespaceMode.CONTAINER }), refused: `${context}.namespace_options.network: a pod's can only be POD or NODE` },
  { field: 'LinuxSandboxSecurityContext.namespace_options', given: namespaces({ ipc: NamespaceMode.TARGET }), refused: `${context}.namespace_options.ipc: a pod's can only be POD or NODE` },
  { field: 'LinuxSandboxSecurityContext.namespace_options', given: namespaces({ pid: NamespaceMode.TARGET }), refused: `${context}.namespace_options.pid: a pod's can only be POD or CONTAINER or NODE` },
  { field: 'LinuxSandboxSecurityContext.namespace_options', given: namespaces({ pid: 9 as NamespaceMode }), refused: `${context}.namespace_options.pid: 9 is not a value that this version knows` },
  { field: 'LinuxSandboxSecurityContext.namespace_options', given: namespaces({ targetId: 'c' }), refused: `${context}.namespace_options.target_id: a pod has no target: containers have` },
  { field: 'LinuxSandboxSecurityContext.namespace_options', proof: proof('src/part/spec/check-pod-config.test.ts', 'a user namespace that maps no users') },
  { field: 'LinuxSandboxSecurityContext.namespace_options', proof: inside('containers of a pod that shares its PID namespace see each other') },
  { field: 'LinuxSandboxSecurityContext.selinux_options', given: security({ selinuxOptions: unset(SELinuxOption, { level: 's0\0' }) }), refused: `${context}.selinux_options.level: "s0\\u0000" is no part of an SELinux label` },
  { field: 'LinuxSandboxSecurityContext.selinux_options', given: security({ selinuxOptions: unset(SELinuxOption, { type: 't'.repeat(256) }) }), refused: `${context}.selinux_options.type: "${'t'.repeat(100)}…" is no part of an SELinux label` },
  { field: 'LinuxSandboxSecurityContext.run_as_user', given: security({ runAsUser: { value: -1n } }), refused: `${context}.run_as_user: -1 is not an id from 0 to 2147483647` },
  { field: 'LinuxSandboxSecurityContext.run_as_user', proof: noPower },
  { field: 'LinuxSandboxSecurityContext.run_as_group', given: security({ runAsGroup: { value: 1n } }), refused: `${context}.run_as_group: it needs run_as_user` },
  { field: 'LinuxSandboxSecurityContext.run_as_group', given: security({ runAsUser: { value: 1n }, runAsGroup: { value: 1n << 62n } }), refused: `${context}.run_as_group: 4611686018427387904 is not an id from 0 to 2147483647` },
  { field: 'LinuxSandboxSecurityContext.supplemental_groups', given: security({ supplementalGroups: [1n, -2n] }), refused: `${context}.supplemental_groups[1]: -2 is not an id from 0 to 2147483647` },
  { field: 'LinuxSandboxSecurityContext.supplemental_groups', given: security({ supplementalGroups: Array.from({ length: 65_537 }, () => 1n) }), refused: `${context}.supplemental_groups: it has 65537 entries, and at most 65536 are taken` },
  { field: 'LinuxSandboxSecurityContext.supplemental_groups_policy', given: security({ supplementalGroupsPolicy: 2 as never }), refused: `${context}.supplemental_groups_policy: 2 is not a value that this version knows` },
  { field: 'LinuxSandboxSecurityContext.readonly_rootfs', proof: noPower },
  { field: 'LinuxSandboxSecurityContext.privileged', proof: noPower },
  { field: 'LinuxSandboxSecurityContext.seccomp', given: security({ seccomp: { profileType: 9 as never, localhostRef: '' } }), refused: `${context}.seccomp.profile_type: 9 is not a value that this version knows` },
  { field: 'LinuxSandboxSecurityContext.seccomp', given: security({ seccomp: { profileType: ProfileType.Localhost, localhostRef: '' } }), refused: `${context}.seccomp.localhost_ref: profile type Localhost needs a profile` },
  { field: 'LinuxSandboxSecurityContext.apparmor', given: security({ apparmor: { profileType: ProfileType.Unconfined, localhostRef: 'x' } }), refused: `${context}.apparmor.localhost_ref: it can only be given with profile_type Localhost` },
  { field: 'LinuxSandboxSecurityContext.seccomp_profile_path', given: security({ seccompProfilePath: 'strict' }), refused: `${context}.seccomp_profile_path: "strict" is none of runtime/default, unconfined and localhost/<profile>` },

  { field: 'UpdatePodSandboxResourcesRequest.pod_sandbox_id', proof: proof('src/face/cri/rpcs.test.ts', 'updatePodSandboxResources') },
  { field: 'UpdatePodSandboxResourcesRequest.overhead', proof: proof('src/face/cri/rpcs.test.ts', 'updatePodSandboxResources') },
  { field: 'UpdatePodSandboxResourcesRequest.resources', proof: proof('src/face/cri/rpcs.test.ts', 'updatePodSandboxResources') },
];

for (const { field, given, refused, kind = 'invalid-argument', gives } of rows) {
  const config = { ...plain, ...given };
  if (refused !== undefined) {
    test(`${field} is refused: ${refused.slice(0, 150)}`, () => {
      assert.throws(() => checkPodConfig(config), { kind, message: `check ${refused}` });
    });
  }
  if (gives !== undefined) {
    test(`${field} gives ${String(gives[1]).slice(0, 80)}`, () => {
      checkPodConfig(config);
      assert.deepEqual(gives[0](config), gives[1]);
    });
  }
}

test('an ordinary pod config passes', () => {
  const mappings = [unset(PortMapping, { protocol: 1, containerPort: 53, hostPort: 5353, hostIp: 'fd00::1' }), unset(PortMapping)];
  checkPodConfig({ ...plain, portMappings: mappings, labels: { 'app.kubernetes.io/name': 'grüezi' }, annotations: { 'kubernetes.io/config.seen': '{\n}' } });

  const node = { network: NamespaceMode.NODE, ipc: NamespaceMode.NODE, pid: NamespaceMode.NODE, usernsOptions: unset(UserNamespace, { mode: NamespaceMode.NODE }) };
  checkPodConfig({ ...plain, ...namespaces(node) });
});

test('every field of the requests for pods has a row, and every proof is there', () => {
  assert.deepEqual(faultsOfTable('src/native/pod/pod-fields.test.ts', rows), []);
});
