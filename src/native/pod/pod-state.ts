import { NamespaceMode } from '../../gen/cri.ts';
import type { NamespaceOption, PodSandboxConfig } from '../../gen/cri.ts';
import { processAlive } from '../../part/oci/process-ref.ts';
import { userNamespaceMappings } from '../../part/spec/id-mappings.ts';
import type { IdMappings } from '../../part/spec/id-mappings.ts';
import type { PodRecord } from './pod-record.ts';

/**
 * READY means that containers can be made in it: nobody stopped it, this is still the boot it was made in, and the process
 * that holds its PID namespace, if it needs one, is alive.
 */
export function isReady(record: PodRecord, bootId: string): boolean {
  if (record.stopped || record.bootId !== bootId) return false;
  return record.infra === undefined || processAlive(record.infra);
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
