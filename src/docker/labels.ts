/**
 * What our containers in the Engine carry, so that the Engine's own store is the truth about them: whose they are, what they are, and the config
 * that the kubelet sent. Containers without these labels are others', and nothing here touches them.
 */
import { ContainerConfig, PodSandboxConfig } from '../gen/cri.ts';

export const label = {
  /** The root directory of the daemon that owns it: two daemons on one Engine do not meet. */
  root: 'gantry.root',
  kind: 'gantry.kind',
  /** Of a container: the id of its pod, which is that of the pod's infra container. */
  pod: 'gantry.pod',
  /** The CRI message, encoded, in base64. */
  config: 'gantry.config',
  /** Of a pod: the handler that the kubelet asked for. */
  handler: 'gantry.handler',
  /** Of a container: where its log goes. */
  log: 'gantry.log',
} as const;

const own = new Set<string>(Object.values(label));

export function podLabels(root: string, { config, handler }: { readonly config: PodSandboxConfig; readonly handler: string }): Record<string, string> {
  return { ...visible(config.labels), [label.root]: root, [label.kind]: 'pod', [label.handler]: handler, [label.config]: encoded(PodSandboxConfig.encode(config).finish()) };
}

export function containerLabels(root: string, { podId, config, logPath }: { readonly podId: string; readonly config: ContainerConfig; readonly logPath: string }): Record<string, string> {
  return { ...visible(config.labels), [label.root]: root, [label.kind]: 'container', [label.pod]: podId, [label.log]: logPath, [label.config]: encoded(ContainerConfig.encode(config).finish()) };
}

/** The kubelet's labels as they are, for `docker ps --filter` and for agents that look for `io.kubernetes.pod.name`. */
function visible(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !own.has(name)));
}

function encoded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

export function decodedPodConfig(text: string): PodSandboxConfig {
  return PodSandboxConfig.decode(Buffer.from(text, 'base64'));
}

export function decodedContainerConfig(text: string): ContainerConfig {
  return ContainerConfig.decode(Buffer.from(text, 'base64'));
}
