/** A pod's spec from its fields. */
import net from 'node:net';
import type { Fields } from './fields.ts';
import type { ContainerSpec, HostAlias, PodSpec } from './manifest.ts';
import { parseContainer } from './parse-container.ts';
import { parsePodSecurity } from './parse-security.ts';
import { parseVolume } from './parse-volume.ts';

/** Where and by whom a pod is placed and watched over: the scheduler's and the kubelet's part. */
const clusterFields = [
  'activeDeadlineSeconds', 'affinity', 'automountServiceAccountToken', 'enableServiceLinks', 'imagePullSecrets', 'nodeName', 'nodeSelector',
  'preemptionPolicy', 'priority', 'priorityClassName', 'readinessGates', 'schedulerName', 'serviceAccount', 'tolerations', 'topologySpreadConstraints',
];

export function parsePodSpec(spec: Fields): PodSpec {
  const containers = spec.list('containers', (item) => parseContainer(item, 'main'));
  if (containers.length === 0) spec.problem('containers', 'a pod has at least one');
  const initContainers = spec.list('initContainers', (item) => parseContainer(item, 'init'));
  checkContainerNames(spec, [...initContainers, ...containers]);
  const restartPolicy = spec.oneOf('restartPolicy', ['Always', 'OnFailure', 'Never']);
  if (restartPolicy !== undefined && restartPolicy !== 'Never') spec.findings.ignored.add('restartPolicy');
  spec.ignore(...clusterFields);

  const parsed: PodSpec = {
    containers,
    initContainers,
    volumes: spec.list('volumes', parseVolume),
    hostname: hostLabel(spec, 'hostname'),
    subdomain: hostLabel(spec, 'subdomain'),
    hostNetwork: spec.flag('hostNetwork') ?? false,
    hostPid: spec.flag('hostPID') ?? false,
    hostIpc: spec.flag('hostIPC') ?? false,
    shareProcessNamespace: spec.flag('shareProcessNamespace') ?? false,
    dnsPolicy: spec.oneOf('dnsPolicy', ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']) ?? 'ClusterFirst',
    dnsConfig: parseDnsConfig(spec.object('dnsConfig')),
    hostAliases: spec.list('hostAliases', parseHostAlias),
    security: parsePodSecurity(spec.object('securityContext')),
    terminationGracePeriodSeconds: spec.whole('terminationGracePeriodSeconds', { min: 0, max: 86_400 }) ?? 30,
    runtimeClassName: spec.text('runtimeClassName'),
    serviceAccountName: spec.text('serviceAccountName') ?? 'default',
  };
  if (parsed.hostPid && parsed.shareProcessNamespace) spec.problem('shareProcessNamespace', 'cannot go with hostPID');
  if (parsed.dnsPolicy === 'None' && parsed.dnsConfig.servers.length === 0) spec.problem('dnsConfig.nameservers', 'dnsPolicy None wants at least one');
  spec.end();
  return parsed;
}

function checkContainerNames(spec: Fields, containers: readonly ContainerSpec[]): void {
  const names = containers.map((one) => one.name).filter(Boolean);
  for (const name of new Set(names.filter((one, i) => names.indexOf(one) !== i))) spec.problem('containers', `two containers are called ${name}`);
}

function hostLabel(spec: Fields, field: string): string | undefined {
  const value = spec.text(field);
  if (value !== undefined && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value)) spec.problem(field, 'wants lower-case letters, digits and - (at most 63)');
  return value;
}

function parseDnsConfig(config: Fields) {
  const options = config.list('options', (option) => {
    const name = option.required('name');
    const value = option.text('value');
    return value === undefined ? name : `${name}:${value}`;
  });
  const settings = { servers: config.texts('nameservers'), searches: config.texts('searches'), options };
  for (const server of settings.servers) if (net.isIP(server) === 0) config.problem('nameservers', `${JSON.stringify(server)} is not an IP address`);
  config.end();
  return settings;
}

function parseHostAlias(alias: Fields): HostAlias {
  const ip = alias.required('ip');
  if (ip !== '' && net.isIP(ip) === 0) alias.problem('ip', `${JSON.stringify(ip)} is not an IP address`);
  const hostnames = alias.texts('hostnames');
  // They go into a file whose lines and words have a meaning.
  for (const name of hostnames) if (!/^[-.\w]+$/.test(name)) alias.problem('hostnames', `${JSON.stringify(name)} is not a host name`);
  return { ip, hostnames };
}
