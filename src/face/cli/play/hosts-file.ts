/** The /etc/hosts that the containers of a pod share. */
import { hostnameOf } from './pod-to-cri.ts';
import type { PodManifest } from './manifest.ts';

/** For a pod with its own network, its own names; for one in the host network, the node's file. Aliases come last. */
export function hostsFile(pod: PodManifest, podIps: readonly string[], nodeFile: string): string {
  const name = hostnameOf(pod);
  const { subdomain } = pod.spec;
  const names = subdomain === undefined ? name : `${name}.${subdomain}.${pod.namespace}.svc.cluster.local ${name}`;
  const own = [
    '# made by gantry play for one pod',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...podIps.map((ip) => `${ip}\t${names}`),
  ];
  const aliases = pod.spec.hostAliases.filter((one) => one.hostnames.length > 0).map((one) => `${one.ip}\t${one.hostnames.join(' ')}`);
  return [...(pod.spec.hostNetwork ? [nodeFile.trimEnd()] : own), ...aliases, ''].join('\n');
}
