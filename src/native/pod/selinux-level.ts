import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { PodSelinux } from './pod-deps.ts';

/**
 * The SELinux level of a new pod's containers: the one that its security context names, else one that no other pod has, kept for it until
 * `levels.settle`. Errors: resource-exhausted when no level is free.
 */
export function selinuxLevel(selinux: PodSelinux | undefined, { id, config }: { id: string; config: PodSandboxConfig }): string | undefined {
  if (selinux === undefined) return undefined;
  const sensitivity = selinux.contexts.process.split(':')[3]!;
  return config.linux?.securityContext?.selinuxOptions?.level || selinux.levels.reserve(id, sensitivity);
}

/** The label of the files that a pod's containers share: its /dev/shm, resolv.conf and hostname. */
export function podFileLabel(selinux: PodSelinux | undefined, level: string | undefined): string | undefined {
  if (selinux === undefined || level === undefined) return undefined;
  return [...selinux.contexts.file.split(':').slice(0, 3), level].join(':');
}
