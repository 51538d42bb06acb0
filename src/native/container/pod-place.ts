/** What a container needs to know of its pod. Containers never import pods: the pod floor hands this down. */
import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import type { SelinuxContexts } from '../../part/lsm/selinux-contexts.ts';
import type { IdMappings } from '../../part/spec/id-mappings.ts';
import { selinuxLabels } from '../../part/spec/with-selinux.ts';
import type { SelinuxState } from '../../part/spec/with-selinux.ts';
import type { MappedOwners, SnapshotDriver } from '../../part/snapshot/snapshotter.ts';

export interface PodPlace {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly handler: string;
  readonly ready: boolean;
  /** Namespaces to join, by path; one that is missing is the host's (net, ipc, uts) or the container's own (pid). */
  readonly namespaces: { readonly net?: string; readonly ipc?: string; readonly uts?: string; readonly pid?: string; readonly user?: string };
  /** What its own user namespace maps; undefined in a pod that has the node's users. */
  readonly idMappings: IdMappings | undefined;
  /** Where such a pod sees the directory of the images' layers, their owners mapped; undefined for one that was made while roots were copied. */
  readonly layersRoot: string | undefined;
  /** What makes the roots of its containers; undefined where that is what the node has. */
  readonly snapshotter: SnapshotDriver | undefined;
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

/** What the labels of the pod's containers depend on; undefined where they have none. */
export function selinuxOf(contexts: SelinuxContexts | undefined, pod: PodPlace): SelinuxState | undefined {
  if (contexts === undefined) return undefined;
  return { contexts, podLevel: pod.selinuxLevel ?? contexts.process.split(':').slice(3).join(':') };
}

/** The label of a container's files, its root and its volumes alike; undefined where they have none. */
export function fileLabel(contexts: SelinuxContexts | undefined, { pod, config }: { pod: PodPlace; config: ContainerConfig }): string | undefined {
  const selinux = selinuxOf(contexts, pod);
  return selinux && selinuxLabels(config, pod.config, selinux).file;
}

/** What becomes of the owners of files in the pod's trees; undefined in a pod that has the node's users. */
export function ownersOf({ idMappings, layersRoot }: PodPlace): MappedOwners | undefined {
  return idMappings && { maps: idMappings, layersRoot };
}

/** Who root of the pod is on the node. */
export function rootOwner({ idMappings }: PodPlace): { uid: number; gid: number } {
  return { uid: idMappings?.uids.hostId ?? 0, gid: idMappings?.gids.hostId ?? 0 };
}
