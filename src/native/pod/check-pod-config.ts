import { failure } from '../../base/errors.ts';
import { NamespaceMode, Protocol } from '../../gen/cri.ts';
import type { PodSandboxConfig, PortMapping } from '../../gen/cri.ts';
import { validateSysctls } from '../../host/namespaces.ts';
import { checkResources } from '../../part/spec/check-resources.ts';
import { namespaceOptions, podIdMappings, usesHostIpc, usesHostNetwork } from './pod-state.ts';
import { checkDnsConfig } from './resolv-conf.ts';

/** What uname(2) has room for. */
const maxHostname = 64;

/** Refuses, before anything is made, every pod config that could not work: invalid-argument naming the field. */
export function checkPodConfig(config: PodSandboxConfig): void {
  const metadata = config.metadata;
  if (metadata === undefined) throw bad('metadata', 'it is missing');
  for (const field of ['name', 'namespace', 'uid'] as const) {
    if (/[\0/]/.test(metadata[field])) throw bad(`metadata.${field}`, 'a slash or NUL byte is not allowed in it');
  }
  if (metadata.name === '') throw bad('metadata.name', 'it is empty');
  checkHostname(config);
  checkNamespaces(config);
  validateSysctls(config.linux?.sysctls ?? {}, { hostNetwork: usesHostNetwork(config), hostIpc: usesHostIpc(config) });
  checkDnsConfig(config.dnsConfig);
  for (const mapping of config.portMappings) checkPortMapping(mapping);
  if (config.logDirectory !== '' && !config.logDirectory.startsWith('/')) throw bad('log_directory', 'it is not an absolute path');
  for (const field of ['overhead', 'resources'] as const) {
    const asked = config.linux?.[field];
    if (asked !== undefined) checkResources(asked, `config.linux.${field}`);
  }
  if (/\0|(^|\/)\.\.(\/|$)/.test(config.linux?.cgroupParent ?? '')) throw bad('linux.cgroup_parent', 'it has .. or a NUL byte in it');
}

function checkHostname(config: PodSandboxConfig): void {
  if (Buffer.byteLength(config.hostname) > maxHostname) throw bad('hostname', `it is longer than ${maxHostname} bytes`);
  if (config.hostname !== '' && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(config.hostname)) throw bad('hostname', `${JSON.stringify(config.hostname)} is not a host name`);
}

function checkNamespaces(config: PodSandboxConfig): void {
  const { network, pid, ipc } = namespaceOptions(config);
  const podOrNode: readonly number[] = [NamespaceMode.POD, NamespaceMode.NODE];
  if (!podOrNode.includes(network)) throw bad('linux.security_context.namespace_options.network', 'a network namespace is POD or NODE');
  if (!podOrNode.includes(ipc)) throw bad('linux.security_context.namespace_options.ipc', 'an IPC namespace is POD or NODE');
  if (!(podOrNode as number[]).concat(NamespaceMode.CONTAINER).includes(pid)) throw bad('linux.security_context.namespace_options.pid', 'the PID namespace of a pod is POD, CONTAINER or NODE');
  if (podIdMappings(config) === undefined) return;
  // The kernel lets only their owner mount what shows these, and Kubernetes refuses such pods as well (KEP-127).
  for (const [name, mode] of [['pid', pid], ['ipc', ipc]] as const) {
    if (mode === NamespaceMode.NODE) throw bad(`linux.security_context.namespace_options.${name}`, 'NODE cannot go with a user namespace of the pod (userns_options.mode POD)');
  }
}

function checkPortMapping(mapping: PortMapping): void {
  const inRange = (port: number, least: number): boolean => Number.isInteger(port) && port >= least && port <= 65535;
  if (!inRange(mapping.hostPort, 0)) throw bad('port_mappings.host_port', `${mapping.hostPort} is not a port`);
  // A mapping without a host port only tells what the container listens on.
  if (!inRange(mapping.containerPort, mapping.hostPort === 0 ? 0 : 1)) throw bad('port_mappings.container_port', `${mapping.containerPort} is not a port`);
  if (mapping.protocol === Protocol.UNRECOGNIZED) throw bad('port_mappings.protocol', 'it is none of TCP, UDP, SCTP');
}

function bad(field: string, why: string): Error {
  return failure('invalid-argument', { act: 'run pod', object: `config.${field}`, why });
}
