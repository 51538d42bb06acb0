/** A plausible SpecInput to start tests from, and ways to change it. */
import {
  ContainerConfig, LinuxContainerConfig, LinuxContainerResources, LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, Mount, NamespaceOption,
  PodSandboxConfig,
} from '../../gen/cri.ts';
import { capabilityNames, defaultCapabilities } from '../../base/capabilities.ts';
import type { ContainerDefaults, HandlerDefaults } from './container-defaults.ts';
import { defaultSeccompProfile } from './default-seccomp-profile.ts';
import type { HostFacts } from './host-facts.ts';
import type { SpecInput } from './spec-input.ts';

interface Defaults<T> {
  decode(bytes: Uint8Array): T;
}

/** The message with every field unset, as an empty wire message decodes. */
export function unset<T>(message: Defaults<T>): T {
  return message.decode(new Uint8Array());
}

export const exampleFacts: HostFacts = {
  cgroupMode: 'v2',
  hugetlb: true,
  swapAccounting: true,
  capabilities: capabilityNames,
  hasSysResource: true,
  hardLimits: { nofile: 1_048_576n },
  stackSoftLimit: 8_388_608n,
  oomScoreAdj: 0,
  architecture: 'amd64',
  kernel: { major: 6, minor: 1 },
  recursiveReadOnly: true,
};

export const exampleDefaults: ContainerDefaults = {
  ulimits: [{ name: 'nofile', soft: 1_048_576, hard: 1_048_576 }],
  env: {},
  capabilities: defaultCapabilities,
  pidsLimit: 0,
  umask: 0o022,
  devicesToUser: false,
  localtime: undefined,
  restrictOomScore: false,
  seccomp: defaultSeccompProfile,
  workloads: [],
};

export const exampleHandler: HandlerDefaults = { allowedAnnotations: [], annotations: {}, baseSpec: undefined, privilegedDevices: 'all', minMemory: 0, seccomp: undefined };

export interface Changes {
  readonly config?: Partial<ContainerConfig>;
  readonly security?: Partial<LinuxContainerSecurityContext>;
  readonly namespaces?: Partial<NamespaceOption>;
  readonly podNamespaces?: Partial<NamespaceOption>;
  readonly resources?: Partial<LinuxContainerResources>;
  readonly mount?: Partial<Mount>;
  readonly facts?: Partial<HostFacts>;
  readonly defaults?: Partial<ContainerDefaults>;
  readonly handler?: Partial<HandlerDefaults>;
  readonly input?: Partial<SpecInput>;
}

export function exampleInput({ config, security, namespaces, podNamespaces, resources, mount, facts, defaults, handler, input }: Changes = {}): SpecInput {
  const mounts = config?.mounts ?? (mount === undefined ? [] : [{ ...unset(Mount), containerPath: '/data', hostPath: '/srv/data', ...mount }]);
  const namespaceOptions = { ...unset(NamespaceOption), pid: 1 as const, ...namespaces };
  return {
    podId: 'f00d'.repeat(16),
    config: {
      ...unset(ContainerConfig),
      metadata: { name: 'web', attempt: 0 },
      command: ['/bin/serve'],
      mounts,
      linux: {
        ...unset(LinuxContainerConfig),
        securityContext: { ...unset(LinuxContainerSecurityContext), namespaceOptions, ...security },
        resources: resources === undefined ? undefined : { ...unset(LinuxContainerResources), ...resources },
      },
      ...config,
    },
    podConfig: {
      ...unset(PodSandboxConfig),
      metadata: { name: 'shop', namespace: 'default', uid: '1234', attempt: 0 },
      linux: {
        ...unset(LinuxPodSandboxConfig),
        securityContext: { ...unset(LinuxSandboxSecurityContext), privileged: true, namespaceOptions: { ...unset(NamespaceOption), pid: 1, ...podNamespaces } },
      },
    },
    image: {},
    identity: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    namespaces: { network: '/run/pods/1/net', ipc: '/run/pods/1/ipc', uts: '/run/pods/1/uts', user: '/run/pods/1/user' },
    rootfs: '/run/containers/1/rootfs',
    cgroupsPath: '/kubepods/pod1/c1',
    hostname: 'shop',
    podFiles: { resolvConf: '/run/pods/1/resolv.conf', hostname: '/run/pods/1/hostname', shm: '/run/pods/1/shm' },
    volumes: { mounts: mounts.map(({ hostPath }, index) => hostPath || `/run/containers/1/images/${index}`), declared: [] },
    facts: { ...exampleFacts, ...facts },
    defaults: { ...exampleDefaults, ...defaults },
    handler: { ...exampleHandler, ...handler },
    devices: [],
    hostDevices: [],
    cdi: [],
    localhostSeccomp: undefined,
    apparmor: undefined,
    selinux: undefined,
    blockIo: undefined,
    rdtClass: undefined,
    ...input,
  };
}
