/** Random pod configs for property tests: ordinary ones in which now and then a value is hostile. */
import * as fc from 'fast-check';
import {
  DNSConfig, LinuxContainerResources, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceOption, PodSandboxConfig, PodSandboxMetadata, PortMapping, SELinuxOption,
} from '../../gen/cri.ts';
import { unset } from './example-input.fake.ts';
import { choice, few, number, some, text, texts } from './hostile-values.fake.ts';

export interface HostilePodOptions {
  /** A cgroup parent that may be used. Hostile ones are such as no driver takes: a test shall not make cgroups anywhere. */
  readonly cgroupParent: string;
}

const rarely = <T>(sane: fc.Arbitrary<T>, hostile: fc.Arbitrary<T>): fc.Arbitrary<T> => fc.oneof({ weight: 19, arbitrary: sane }, { weight: 1, arbitrary: hostile });

// No port of the node is ever taken: what is not 0 is none.
const port = rarely(fc.constant(0), fc.constantFrom(-1, 65_536, 2_147_483_647, -2_147_483_648));
const profile = fc.oneof(fc.record({ profileType: choice(0, 1), localhostRef: text('') }), fc.record({ profileType: choice(2), localhostRef: text('/p.json') }));
const textMap = fc.dictionary(text('app', 'tier'), text('web', ''), { maxKeys: 2 });
const resources = some(LinuxContainerResources, { cpuPeriod: number(0n, 100_000n), cpuQuota: number(-1n, 0n), cpuShares: number(2n), memoryLimitInBytes: number(0n, 1n << 30n), oomScoreAdj: number(0n, -998n) });

const securityContext = some(LinuxSandboxSecurityContext, {
  namespaceOptions: some(NamespaceOption, { network: choice(0, 2), pid: choice(1, 2), ipc: choice(0, 2), targetId: text('') }),
  selinuxOptions: some(SELinuxOption, { user: text(''), level: text('s0') }),
  runAsUser: number(0n, 1000n).map((value) => ({ value })),
  runAsGroup: number(0n, 1000n).map((value) => ({ value })),
  supplementalGroups: few(number(7n)),
  supplementalGroupsPolicy: choice(0, 1),
  readonlyRootfs: fc.boolean(),
  privileged: fc.boolean(),
  seccomp: profile,
  apparmor: profile,
  seccompProfilePath: text('', 'runtime/default'),
});

/** Each has another name, so that no two are the same pod. */
export function hostilePods({ cgroupParent }: HostilePodOptions): fc.Arbitrary<PodSandboxConfig> {
  const linux = some(LinuxPodSandboxConfig, {
    cgroupParent: rarely(fc.constant(cgroupParent), fc.constantFrom('/', '/..', '/a/../..', 'a\0b', 'a:b', '\n', `/${'x'.repeat(300)}`)),
    securityContext,
    sysctls: rarely(fc.constantFrom<Record<string, string>>({}, { 'net.ipv4.ip_unprivileged_port_start': '0' }), fc.dictionary(text('net.core.somaxconn', 'kernel.shmmax', 'kernel.panic'), text('1', 'many'), { maxKeys: 2 })),
    overhead: resources,
    resources,
  });
  const metadata = fc.tuple(text('web'), text('default'), text('u', ''), fc.nat(), fc.uuid())
    .map(([name, namespace, uid, attempt, unique]) => ({ ...unset(PodSandboxMetadata), name: name === '' ? '' : `${name}-${unique}`, namespace, uid, attempt }));
  return fc.tuple(metadata, linux.map((value) => ({ ...value, cgroupParent: value.cgroupParent || cgroupParent })), some(PodSandboxConfig, {
    hostname: text('', 'web-0'),
    logDirectory: text('', '/var/log/pods/none'),
    dnsConfig: some(DNSConfig, { servers: texts('10.0.0.10', 'fd00::a'), searches: texts('cluster.local'), options: texts('ndots:5') }),
    portMappings: few(some(PortMapping, { protocol: choice(0, 1, 2), containerPort: port, hostPort: port, hostIp: text('') })),
    labels: textMap,
    annotations: textMap,
  })).map(([who, walls, rest]) => ({ ...rest, metadata: who, linux: walls }));
}
