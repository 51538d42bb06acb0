import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';

/** Where the kernel accounts for what a container uses: its own cgroup, or that of the sandbox which it runs in with the others of its pod. */
export function accountedCgroup({ handlers, cgroups, pods }: Pick<ContainerDeps, 'handlers' | 'cgroups' | 'pods'>, { handler, podId, cgroup }: ContainerRecord): string {
  const pod = handlers.find(handler)?.sandbox === undefined ? undefined : pods.get(podId);
  return pod === undefined ? cgroup : cgroups.containerPath(pod.cgroupParent, podId);
}
