/** What a container needs to know of its pod. Containers never import pods: the pod floor hands this down. */
import { basename, join } from 'node:path';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { SelinuxContexts } from '../../part/lsm/selinux-contexts.ts';
import type { IdMappings } from '../../part/spec/id-mappings.ts';
import type { SelinuxState } from '../../part/spec/with-selinux.ts';

export interface PodPlace {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly handler: string;
  readonly ready: boolean;
  /** Namespaces to join, by path; one that is missing is the host's (net, ipc, uts) or the container's own (pid). */
  readonly namespaces: { readonly net?: string; readonly ipc?: string; readonly uts?: string; readonly pid?: string; readonly user?: string };
  /** What its own user namespace maps; undefined in a pod that has the node's users. */
  readonly idMappings: IdMappings | undefined;
  /** Where such a pod sees the directory of the images' layers, their owners mapped. */
  readonly layersRoot: string | undefined;
  /** The cgroup that the pod's containers live under, in the CRI's own notation. */
  readonly cgroupParent: string;
  /** Files that the pod's containers share. `shm` is the host's /dev/shm for a pod in the host's IPC namespace. */
  readonly resolvConf: string;
  readonly hostnameFile: string;
  readonly hostname: string;
  readonly shm: string;
  /** What keeps the pod's containers apart from other pods' (`s0:c1,c2`); undefined for a pod made without SELinux. */
  readonly selinuxLevel: string | undefined;
}

/** A pod with a user namespace sees the same directories in a mount where root of the pod owns what root owns on the disk. */
export function layersSeenBy({ layersRoot }: PodPlace, layers: readonly string[]): readonly string[] {
  return layersRoot === undefined ? layers : layers.map((layer) => join(layersRoot, basename(layer)));
}

/** Root of the pod as the node knows it, who owns what nobody else is to own; undefined where that is the node's own root. */
export function rootOf({ idMappings }: PodPlace): { readonly uid: number; readonly gid: number } | undefined {
  return idMappings && { uid: idMappings.uids.hostId, gid: idMappings.gids.hostId };
}

/** What the labels of the pod's containers depend on; undefined where they have none. */
export function selinuxOf(contexts: SelinuxContexts | undefined, pod: PodPlace): SelinuxState | undefined {
  if (contexts === undefined) return undefined;
  return { contexts, podLevel: pod.selinuxLevel ?? contexts.process.split(':').slice(3).join(':') };
}
