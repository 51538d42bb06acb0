import { Protocol } from '../../gen/cri.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { Attachment, PortMapping } from './attachment.ts';

/** The interface that Kubernetes takes a pod's addresses from. */
export const podInterface = 'eth0';

/** How a pod with this network namespace is attached to the node's network. */
export function podAttachment({ id, netnsPath, config }: { readonly id: string; readonly netnsPath: string; readonly config: PodSandboxConfig }): Attachment {
  const { name = '', namespace = '', uid = '' } = config.metadata ?? {};
  const mappings = portMappings(config);
  return {
    containerId: id,
    netnsPath,
    ifName: podInterface,
    // The names are those that every Kubernetes network add-on reads.
    args: { IgnoreUnknown: '1', K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name, K8S_POD_INFRA_CONTAINER_ID: id, K8S_POD_UID: uid },
    capabilities: {
      ...(mappings.length > 0 ? { portMappings: mappings } : {}),
      'io.kubernetes.cri.pod-annotations': config.annotations,
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
