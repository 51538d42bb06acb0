import { isIP } from 'node:net';
import { during } from '../../base/errors.ts';
import { NamespaceMode, Protocol } from '../../gen/cri.ts';
import type { PodSandboxConfig, PortMapping } from '../../gen/cri.ts';
import { validateSysctls } from '../../host/namespaces.ts';
import { badField, checkAbsolutePath, checkEnum, quote } from './check-field.ts';
import { checkResources } from './check-resources.ts';
import { checkName, checkTextMap } from './check-texts.ts';
import { checkPodSecurity } from './check-pod-security.ts';
import { checkDnsConfig } from './resolv-conf.ts';
import { namespaceOptions, podIdMappings, usesHostIpc, usesHostNetwork } from './pod-config.ts';

/** What uname(2) has room for. */
const maxHostname = 64;

/** Refuses, before anything is made, every pod config that could not work: invalid-argument naming the field. */
export function checkPodConfig(config: PodSandboxConfig): void {
  if (config.windows !== undefined) throw badField('config.windows', 'this is a Linux node');
  checkMetadata(config);
  checkHostname(config.hostname);
  if (config.logDirectory !== '') checkAbsolutePath('config.log_directory', config.logDirectory);
  checkDnsConfig(config.dnsConfig);
  for (const [index, mapping] of config.portMappings.entries()) checkPortMapping(`config.port_mappings[${index}]`, mapping);
  checkTextMap('config.labels', config.labels);
  checkTextMap('config.annotations', config.annotations);
  checkPodSecurity(config.linux?.securityContext);
  checkUserNamespace(config);
  checkSysctls(config);
  checkCgroupParent(config.linux?.cgroupParent ?? '');
  for (const field of ['overhead', 'resources'] as const) {
    const asked = config.linux?.[field];
    if (asked !== undefined) checkResources(asked, `config.linux.${field}`);
  }
}

function checkMetadata({ metadata }: PodSandboxConfig): void {
  if (metadata === undefined) throw badField('config.metadata', 'it is missing');
  checkName('config.metadata.name', metadata.name);
  // Only people who test leave these two out.
  if (metadata.namespace !== '') checkName('config.metadata.namespace', metadata.namespace);
  if (metadata.uid !== '') checkName('config.metadata.uid', metadata.uid);
}

function checkHostname(hostname: string): void {
  if (Buffer.byteLength(hostname) > maxHostname) throw badField('config.hostname', `it is longer than ${maxHostname} bytes`);
  if (hostname !== '' && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(hostname)) throw badField('config.hostname', `${quote(hostname)} is not a host name`);
}

function checkPortMapping(field: string, { protocol, containerPort, hostPort, hostIp }: PortMapping): void {
  checkEnum(`${field}.protocol`, protocol, Protocol);
  const inRange = (port: number, least: number): boolean => port >= least && port <= 65535;
  if (!inRange(hostPort, 0)) throw badField(`${field}.host_port`, `${hostPort} is not a port`);
  // A mapping without a host port only tells what the container listens on.
  if (!inRange(containerPort, hostPort === 0 ? 0 : 1)) throw badField(`${field}.container_port`, `${containerPort} is not a port`);
  if (hostIp !== '' && isIP(hostIp) === 0) throw badField(`${field}.host_ip`, `${quote(hostIp)} is not an IP address`);
}

function checkUserNamespace(config: PodSandboxConfig): void {
  if (podIdMappings(config) === undefined) return;
  const { pid, ipc } = namespaceOptions(config);
  // The kernel lets only their owner mount what shows these, and Kubernetes refuses such pods as well (KEP-127).
  for (const [name, mode] of [['pid', pid], ['ipc', ipc]] as const) {
    if (mode === NamespaceMode.NODE) throw badField(`config.linux.security_context.namespace_options.${name}`, 'NODE cannot go with a user namespace of the pod (userns_options.mode POD)');
  }
}

function checkSysctls(config: PodSandboxConfig): void {
  try {
    validateSysctls(config.linux?.sysctls ?? {}, { hostNetwork: usesHostNetwork(config), hostIpc: usesHostIpc(config) });
  } catch (error) {
    throw during(error, { act: 'check', object: 'config.linux.sysctls' });
  }
}

/** What no cgroup driver takes; whether it is a slice where systemd wants one is checked by the driver (pod-cgroup.ts). */
function checkCgroupParent(parent: string): void {
  const field = 'config.linux.cgroup_parent';
  checkAbsolutePath(field, parent.startsWith('/') ? parent : `/${parent}`);
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x1f\x7f:]/.test(parent)) throw badField(field, `${quote(parent)} has a colon or a control character in it`);
}
