/**
 * The names of our containers in the Engine: those that Docker nodes always had (`k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`), which
 * log and metrics agents take apart, and a random end. The name of an infra container also says how far its pod is; the Engine renames in one
 * step, so that a killed daemon leaves no doubt.
 */
import { randomBytes } from 'node:crypto';
import type { ContainerMetadata, PodSandboxConfig } from '../gen/cri.ts';

/** `making`: not yet attached to the network, and known to nobody. `made`: what RunPodSandbox returned. `stopped`: takes no containers any more. */
export type PodStage = 'making' | 'made' | 'stopped';

const prefixes: Readonly<Record<PodStage, string>> = { making: 'gantry-making.', made: '', stopped: 'gantry-stopped.' };

export function podContainerName(config: PodSandboxConfig): string {
  return kubernetesName('POD', config, config.metadata?.attempt ?? 0);
}

export function containerName(metadata: ContainerMetadata | undefined, pod: PodSandboxConfig): string {
  return kubernetesName(metadata?.name ?? '', pod, metadata?.attempt ?? 0);
}

/** A pod's name at this stage. */
export function nameAt(stage: PodStage, name: string): string {
  return `${prefixes[stage]}${bareName(name)}`;
}

export function stageOf(name: string): PodStage {
  return (['making', 'stopped'] as const).find((stage) => name.startsWith(prefixes[stage])) ?? 'made';
}

function bareName(name: string): string {
  return name.slice(prefixes[stageOf(name)].length);
}

function kubernetesName(container: string, { metadata }: PodSandboxConfig, attempt: number): string {
  const { name = '', namespace = '', uid = '' } = metadata ?? {};
  return ['k8s', ...[container, name, namespace, uid].map(plain), attempt, randomBytes(4).toString('hex')].join('_');
}

/** What the Engine takes in a name. */
function plain(text: string): string {
  return text.slice(0, 100).replaceAll(/[^a-zA-Z0-9.-]/g, '-');
}
