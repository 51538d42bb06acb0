/** What a pod's config means: who it is, and which namespaces it shares with the node. */
import { NamespaceMode } from '../../gen/cri.ts';
import type { NamespaceOption, PodSandboxConfig } from '../../gen/cri.ts';
import { userNamespaceMappings } from './id-mappings.ts';
import type { IdMappings } from './id-mappings.ts';

/** The natural key of a pod: a repeated RunPodSandbox carries the same one. */
export function podKey(config: PodSandboxConfig): string {
  const { namespace = '', name = '', uid = '', attempt = 0 } = config.metadata ?? {};
  return JSON.stringify([namespace, name, uid, attempt]);
}

/** How errors and logs name a pod. */
export function podName(config: PodSandboxConfig): string {
  return `${config.metadata?.namespace ?? ''}/${config.metadata?.name ?? ''}`;
}

/** The namespaces that a pod asks for; a missing option means POD for all, as the CRI says. */
export function namespaceOptions(config: PodSandboxConfig): Pick<NamespaceOption, 'network' | 'pid' | 'ipc'> {
  return config.linux?.securityContext?.namespaceOptions ?? { network: NamespaceMode.POD, pid: NamespaceMode.POD, ipc: NamespaceMode.POD };
}

/** The ids of the pod's own user namespace; undefined where it has the node's. Contradictory ones: invalid-argument. */
export function podIdMappings(config: PodSandboxConfig): IdMappings | undefined {
  return userNamespaceMappings(config.linux?.securityContext?.namespaceOptions?.usernsOptions, 'config.linux.security_context.namespace_options.userns_options');
}

export function usesHostNetwork(config: PodSandboxConfig): boolean {
  return namespaceOptions(config).network === NamespaceMode.NODE;
}

export function usesHostIpc(config: PodSandboxConfig): boolean {
  return namespaceOptions(config).ipc === NamespaceMode.NODE;
}

/** Only a PID namespace needs a process to live in; network, IPC and UTS are pinned as files. */
export function sharesPidNamespace(config: PodSandboxConfig): boolean {
  return namespaceOptions(config).pid === NamespaceMode.POD;
}
