import { NamespaceMode } from '../../gen/cri.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { CgroupDriver } from '../../part/cgroup/cgroup-path.ts';
import type { ContainerDefaults } from '../../part/spec/container-defaults.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import { namespaceOptions, usesHostIpc, usesHostNetwork } from '../../part/spec/pod-config.ts';
import { possibleOomScore } from '../../part/spec/with-oom-score.ts';
import { engineCgroupParent } from '../engine-cgroup-parent.ts';

export interface InfraInput {
  readonly config: PodSandboxConfig;
  readonly image: string;
  readonly handler: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cgroupDriver: CgroupDriver;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly oomScore: { readonly facts: HostFacts; readonly defaults: ContainerDefaults };
}

/** The kubelet's own processes are hardly ever killed for memory, and a pod's infra process shall not be either. */
const infraOomScore = -998;

/** The Engine's request for a pod's infra container: a process that sleeps and reaps, without rights, in the namespaces that the pod asks for. */
export function infraBody({ config, image, handler, labels, cgroupDriver, sysctls, oomScore: { facts, defaults } }: InfraInput): object {
  const hostNetwork = usesHostNetwork(config);
  const hostName = config.hostname || (config.metadata?.name ?? '').slice(0, 63);
  return {
    Image: image,
    Labels: labels,
    ...(hostNetwork || hostName === '' ? {} : { Hostname: hostName }),
    HostConfig: {
      // CNI makes the network: the Engine's own would be a second one.
      NetworkMode: hostNetwork ? 'host' : 'none',
      ...(hostNetwork ? { UTSMode: 'host' } : {}),
      IpcMode: usesHostIpc(config) ? 'host' : 'shareable',
      ...(namespaceOptions(config).pid === NamespaceMode.NODE ? { PidMode: 'host' } : {}),
      CgroupParent: engineCgroupParent(cgroupDriver, config.linux?.cgroupParent ?? ''),
      ...(Object.keys(sysctls).length === 0 ? {} : { Sysctls: sysctls }),
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      OomScoreAdj: possibleOomScore(infraOomScore, facts, defaults),
      CpuShares: 2,
      LogConfig: { Type: 'none' },
      ...(handler === '' ? {} : { Runtime: handler }),
    },
  };
}
