import { createNamespaces, splitSysctls, writeSysctls } from '../../host/namespaces.ts';
import type { PinnedNamespaces } from '../../host/namespaces.ts';
import { createUserNamespaces } from '../../host/user-namespaces.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { effectiveSysctls } from '../../part/spec/effective-sysctls.ts';
import type { PodDeps } from './pod-deps.ts';
import { podPaths } from './pod-paths.ts';
import type { PodInTheMaking } from './run-pod.ts';
import { podIdMappings, usesHostIpc, usesHostNetwork } from '../../part/spec/pod-config.ts';

/**
 * Makes and pins the namespaces that the pod does not share with the host. A host-network pod keeps the host's name too. A user
 * namespace owns the others, so that root inside has power over them.
 */
export async function makeNamespaces(deps: PodDeps, pod: PodInTheMaking): Promise<void> {
  const net = !usesHostNetwork(pod.config);
  const ipc = !usesHostIpc(pod.config);
  const maps = podIdMappings(pod.config);
  if (!net && !ipc && maps === undefined) return;
  const directory = podPaths(deps.roots.state, pod.id).namespaces;
  await deps.effects.make({ owner: pod.id, kind: 'namespaces', data: { directory } }, () => {
    const request = { directory, net, ipc, uts: net, ...(net ? { hostname: hostnameOf(pod) } : {}), sysctls: splitSysctls(effectiveSysctls(pod.config, deps.defaults())).now };
    return maps === undefined ? createNamespaces(request) : createUserNamespaces(request, maps);
  });
}

/** The sysctls of interfaces that exist only after the network was attached. */
export function writeLateSysctls(deps: PodDeps, pod: PodInTheMaking): void {
  const late = splitSysctls(effectiveSysctls(pod.config, deps.defaults())).afterCni;
  if (Object.keys(late).length > 0) writeSysctls(pinnedNamespaces(deps.roots.state, pod.id), late);
}

/** The namespaces that are pinned for a pod, as its files tell. */
export function pinnedNamespaces(stateDir: string, id: string): PinnedNamespaces {
  const { namespaces } = podPaths(stateDir, id);
  const pins = (['net', 'ipc', 'uts', 'user'] as const).map((kind) => [kind, join(namespaces, kind)] as const);
  return Object.fromEntries(pins.filter(([, path]) => existsSync(path)));
}

/** What `hostname` prints inside: the kubelet sends it; without a kubelet the pod's name serves, cut to what the kernel takes. */
export function hostnameOf(pod: Pick<PodInTheMaking, 'config'>): string {
  return pod.config.hostname || (pod.config.metadata?.name ?? '').slice(0, 63);
}
