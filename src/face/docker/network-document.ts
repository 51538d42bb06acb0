/** Where a container is reached: its pod has the addresses, and there is one network, which CNI made. */
import { NamespaceMode } from '../../gen/cri.ts';
import type { PodSandboxStatus } from '../../gen/cri.ts';

/** The name of the one network in every answer; pods in the node's own have Docker's `host`. */
export const networkName = 'cni';

export function isOnHost(pod: PodSandboxStatus | undefined): boolean {
  return pod?.linux?.namespaces?.options?.network === NamespaceMode.NODE;
}

/** `NetworkMode` of a pod or of a container in it. */
export function networkMode(kind: 'pod' | 'container', podId: string, pod: PodSandboxStatus | undefined): string {
  if (isOnHost(pod)) return 'host';
  return kind === 'pod' ? networkName : `container:${podId}`;
}

/** A container is told the addresses of its pod too, which dockershim did not: agents need not follow `NetworkMode`. */
export function networks(pod: PodSandboxStatus | undefined): Record<string, object> {
  const host = isOnHost(pod);
  const { v4, v6 } = host ? { v4: '', v6: '' } : addresses(pod);
  return { [host ? 'host' : networkName]: { IPAMConfig: null, Links: null, Aliases: null, NetworkID: '', EndpointID: '', Gateway: '', IPAddress: v4, IPPrefixLen: 0, IPv6Gateway: '', GlobalIPv6Address: v6, GlobalIPv6PrefixLen: 0, MacAddress: '', DriverOpts: null } };
}

export function networkSettings(pod: PodSandboxStatus | undefined): object {
  const { v4, v6 } = isOnHost(pod) ? { v4: '', v6: '' } : addresses(pod);
  return {
    Bridge: '', SandboxID: pod?.id ?? '', SandboxKey: '', HairpinMode: false, LinkLocalIPv6Address: '', LinkLocalIPv6PrefixLen: 0, Ports: {}, SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null, EndpointID: '', Gateway: '', IPAddress: v4, IPPrefixLen: 0, IPv6Gateway: '', GlobalIPv6Address: v6, GlobalIPv6PrefixLen: 0, MacAddress: '', Networks: networks(pod),
  };
}

function addresses(pod: PodSandboxStatus | undefined): { readonly v4: string; readonly v6: string } {
  const all = [pod?.network?.ip ?? '', ...(pod?.network?.additionalIps ?? []).map(({ ip }) => ip)];
  return { v4: all.find((ip) => ip.includes('.')) ?? '', v6: all.find((ip) => ip.includes(':')) ?? '' };
}
