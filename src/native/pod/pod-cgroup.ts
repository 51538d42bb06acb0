import { cgroupParentPath } from '../../part/cgroup/cgroup-path.ts';
import { createCgroup } from '../../part/cgroup/cgroup-tree.ts';
import type { PodDeps } from './pod-deps.ts';
import type { PodInTheMaking } from './run-pod.ts';

/**
 * The cgroup that the pod's containers go into, in the CRI's notation. The kubelet makes a pod's cgroup and names it; who names
 * none (crictl, `gantry play`) gets one of the pod's own. With systemd the slice comes and goes with its scopes.
 */
export async function makeCgroup(deps: PodDeps, pod: PodInTheMaking): Promise<string> {
  const asked = pod.config.linux?.cgroupParent ?? '';
  const { driver, layout } = deps.cgroups;
  if (asked !== '' || driver === 'systemd') {
    cgroupParentPath(driver, asked); // refuses a parent that cannot be one
    return asked;
  }
  const path = `/gantry/pod${pod.id}`;
  await deps.effects.make({ owner: pod.id, kind: 'cgroup', data: { path } }, () => createCgroup(layout, path));
  return path;
}
