/** A container's environment, in the kubelet's order: envFrom, then env; later ones win, and may use earlier ones. */
import type { DataSources } from './data-sources.ts';
import { expandVariables } from './expand.ts';
import type { ContainerSpec, EnvVar, PodManifest } from './manifest.ts';
import type { PodFacts } from './pod-facts.ts';

/** References that are optional and lead nowhere leave their variable out; the others were checked before. */
export function environmentOf(container: ContainerSpec, pod: PodManifest, sources: DataSources, facts: PodFacts): Map<string, string> {
  const values = new Map<string, string>();
  for (const from of container.envFrom) {
    for (const [key, value] of sources(from.kind, pod.namespace, from.name)?.data ?? []) values.set(`${from.prefix}${key}`, value.toString());
  }
  for (const variable of container.env) {
    const value = valueOf(variable, pod, sources, facts);
    if (value !== undefined) values.set(variable.name, variable.kind === 'value' ? expandVariables(value, values) : value);
  }
  return values;
}

function valueOf(variable: EnvVar, pod: PodManifest, sources: DataSources, facts: PodFacts): string | undefined {
  switch (variable.kind) {
    case 'value':
      return variable.value;
    case 'configMapKey':
      return sources('configMap', pod.namespace, variable.ref.name)?.data.get(variable.ref.key)?.toString();
    case 'secretKey':
      return sources('secret', pod.namespace, variable.ref.name)?.data.get(variable.ref.key)?.toString();
    case 'field':
      return fieldValue(variable.field, pod, facts);
  }
}

/** The downward API's fields that an environment may have. */
export function fieldValue(field: string, pod: PodManifest, facts: PodFacts): string {
  const mapped = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(field);
  if (mapped) return pod[mapped[1] as 'labels' | 'annotations'][mapped[2]!] ?? '';
  switch (field) {
    case 'metadata.name':
      return pod.name;
    case 'metadata.namespace':
      return pod.namespace;
    case 'metadata.uid':
      return facts.uid;
    case 'spec.nodeName':
      return facts.host.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName;
    case 'status.hostIP':
      return facts.host.hostIps[0] ?? '';
    case 'status.hostIPs':
      return facts.host.hostIps.join(',');
    case 'status.podIP':
      return facts.podIps[0] ?? '';
    case 'status.podIPs':
      return facts.podIps.join(',');
    default:
      return '';
  }
}
