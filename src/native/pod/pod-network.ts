import type { Stages } from '../../base/stages.ts';
import { Protocol } from '../../gen/cri.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { Attachment, PortMapping } from '../../part/cni/attachment.ts';
import { podIps } from '../../part/cni/cni-result.ts';
import type { PodDeps } from './pod-deps.ts';
import { writeLateSysctls } from './pod-namespaces.ts';
import { podPaths } from './pod-paths.ts';
import { usesHostNetwork } from './pod-state.ts';
import type { PodInTheMaking } from './run-pod.ts';

/** The interface that Kubernetes takes a pod's addresses from. */
export const podInterface = 'eth0';

/** Attaches the pod to the node's CNI network and returns its addresses, the primary first; none in the host's network. */
export async function attachNetwork(deps: PodDeps, pod: PodInTheMaking, stages: Stages): Promise<string[]> {
  if (usesHostNetwork(pod.config)) return [];
  const attachment = attachmentOf(deps, pod);
  const result = await deps.effects.make({ owner: pod.id, kind: 'network', data: attachment }, () => deps.cni.add(attachment, { stages }));
  writeLateSysctls(deps, pod);
  return podIps(result, podInterface);
}

function attachmentOf(deps: PodDeps, pod: PodInTheMaking): Attachment {
  const { name = '', namespace = '', uid = '' } = pod.config.metadata ?? {};
  const mappings = portMappings(pod.config);
  return {
    containerId: pod.id,
    netnsPath: `${podPaths(deps.roots.state, pod.id).namespaces}/net`,
    ifName: podInterface,
    // The names are those that every Kubernetes network add-on reads.
    args: { IgnoreUnknown: '1', K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name, K8S_POD_INFRA_CONTAINER_ID: pod.id, K8S_POD_UID: uid },
    capabilities: {
      ...(mappings.length > 0 ? { portMappings: mappings } : {}),
      'io.kubernetes.cri.pod-annotations': pod.config.annotations,
    },
  };
}

const protocolNames = { [Protocol.TCP]: 'tcp', [Protocol.UDP]: 'udp', [Protocol.SCTP]: 'sctp' } as const;

/** Only mappings with a host port ask the network for anything. */
function portMappings(config: PodSandboxConfig): PortMapping[] {
  return config.portMappings.filter((mapping) => mapping.hostPort > 0).map((mapping) => ({
    hostPort: mapping.hostPort,
    containerPort: mapping.containerPort,
    protocol: protocolNames[mapping.protocol as keyof typeof protocolNames],
    ...(mapping.hostIp === '' ? {} : { hostIP: mapping.hostIp }),
  }));
}
