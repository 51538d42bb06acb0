import type { PodSandboxConfig } from '../../gen/cri.ts';
import { checkedSelinuxOptions } from '../../part/spec/with-selinux.ts';
import type { PodSelinux } from './pod-deps.ts';

/**
 * The SELinux level of a new pod's containers: the one that its security context names, else one that no other pod has, kept for it until
 * `levels.settle`. Errors: invalid-argument for options that are no parts of a label; resource-exhausted when no level is free.
 */
export function selinuxLevel(selinux: PodSelinux | undefined, { id, config }: { id: string; config: PodSandboxConfig }): string | undefined {
  const options = config.linux?.securityContext?.selinuxOptions;
  const asked = options === undefined ? '' : checkedSelinuxOptions(options).level;
  if (selinux === undefined) return undefined;
  const sensitivity = selinux.contexts.process.split(':')[3]!;
  return asked === '' ? selinux.levels.reserve(id, sensitivity) : asked;
}

/** The label of the files that a pod's containers share: its /dev/shm, resolv.conf and hostname. */
export function podFileLabel(selinux: PodSelinux | undefined, level: string | undefined): string | undefined {
  if (selinux === undefined || level === undefined) return undefined;
  return [...selinux.contexts.file.split(':').slice(0, 3), level].join(':');
}
