/** What is known about a pod beside its manifest: who it is on this node, and, once it runs, its addresses. */
import { createHash } from 'node:crypto';
import type { DnsSettings, PodManifest } from './manifest.ts';

/** About the node; the same for all pods of one play. */
export interface HostFacts {
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  readonly memoryBytes: bigint;
  readonly dns: DnsSettings;
}

export interface PodFacts {
  readonly host: HostFacts;
  readonly uid: string;
  readonly logDirectory: string;
  /** Fingerprint of the manifest as played. */
  readonly fingerprint: string;
  /** Empty before the pod runs; the node's own for a pod in the host network. */
  readonly podIps: readonly string[];
}

/**
 * The uid of a played pod, made from its name so that every later command finds the same pod: a UUID of version 8
 * (RFC 9562: vendor-specific), which the API server never gives out.
 */
export function playUid(namespace: string, name: string): string {
  const hex = createHash('sha256').update(`gantry play ${namespace}/${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** `namespace_name`: how the kubelet, too, calls a pod's directories. */
export function directoryName(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}_${pod.name}`;
}

/** Changes when anything changes that the pod is made from; `data` are the objects that it refers to. */
export function fingerprintOf(pod: PodManifest, data: readonly unknown[]): string {
  const text = JSON.stringify([pod, data], (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof Map ? [...(value as Map<string, unknown>)] : value,
  );
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
