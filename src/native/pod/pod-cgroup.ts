import { during } from '../../base/errors.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import { createCgroup, removeIfEmpty } from '../../part/cgroup/cgroup-tree.ts';
import type { Cgroups } from '../../part/cgroup/cgroups.ts';
import type { PodDeps } from './pod-deps.ts';
import type { PodInTheMaking } from './run-pod.ts';

/** Holds the cgroups of pods for which nobody named a parent; it goes with the last of them. */
const ownParent = '/gantry';

/**
 * The cgroup that the pod's containers go into, in the CRI's notation. The kubelet makes a pod's cgroup and names it; who names
 * none (crictl, `gantry play`) gets one of the pod's own. With systemd the slice comes and goes with its scopes.
 */
export async function makeCgroup(deps: PodDeps, pod: PodInTheMaking): Promise<string> {
  const asked = pod.config.linux?.cgroupParent ?? '';
  const { driver, layout } = deps.cgroups;
  if (asked !== '' || driver === 'systemd') {
    return asked;
  }
  const path = `${ownParent}/pod${pod.id}`;
  await deps.effects.make({ owner: pod.id, kind: 'cgroup', data: { path } }, () => createCgroup(layout, path));
  return path;
}

/** Refuses a parent that the cgroup driver cannot take, before anything is made: invalid-argument naming the field. */
export function checkCgroupParent({ cgroups }: Pick<PodDeps, 'cgroups'>, config: PodSandboxConfig): void {
  try {
    cgroups.podPath(config.linux?.cgroupParent ?? '');
  } catch (error) {
    throw during(error, { act: 'check', object: 'config.linux.cgroup_parent' });
  }
}

/** Undo of `cgroup`: what is in it goes too. */
export async function removePodCgroup(cgroups: Cgroups, { path }: { path: string }): Promise<void> {
  await cgroups.remove(path);
  removeIfEmpty(cgroups.layout, ownParent);
}
