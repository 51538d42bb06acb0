import { NamespaceMode } from '../../gen/cri.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import { ownSysctls } from '../../host/namespaces.ts';
import { usesHostIpc, usesHostNetwork } from './pod-config.ts';

/** What the node's configuration gives to every pod. */
export interface SysctlDefaults {
  readonly sysctls: Readonly<Record<string, string>>;
  readonly unprivilegedPorts: boolean;
  readonly unprivilegedIcmp: boolean;
}

/**
 * The pod's own sysctls over the node's defaults over what unprivileged users may do. A default for a namespace that the pod shares with the node is
 * left out, for it would change the node.
 */
export function effectiveSysctls(config: PodSandboxConfig, defaults: SysctlDefaults): Record<string, string> {
  const ofNode = { ...unprivileged(config, defaults), ...defaults.sysctls };
  return { ...ownSysctls(ofNode, { hostNetwork: usesHostNetwork(config), hostIpc: usesHostIpc(config) }), ...config.linux?.sysctls };
}

function unprivileged(config: PodSandboxConfig, { unprivilegedPorts, unprivilegedIcmp }: SysctlDefaults): Record<string, string> {
  // In a user namespace the range has groups that it does not map, which the kernel refuses.
  const ownUsers = config.linux?.securityContext?.namespaceOptions?.usernsOptions?.mode === NamespaceMode.POD;
  return {
    ...(unprivilegedPorts ? { 'net.ipv4.ip_unprivileged_port_start': '0' } : {}),
    ...(unprivilegedIcmp && !ownUsers ? { 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
  };
}
