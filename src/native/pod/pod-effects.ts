/** The undo of every lasting effect of a pod, by kind. Each may be repeated and takes a half-made effect for what it is. */
import { unmountIdmapped } from '../../host/idmapped-mount.ts';
import { removeUnmountedTree } from '../../host/mounts-below.ts';
import { removeNamespaces } from '../../host/namespaces.ts';
import type { Cgroups } from '../../part/cgroup/cgroups.ts';
import type { Attachment } from '../../part/cni/attachment.ts';
import type { Cni } from '../../part/cni/network.ts';
import type { Undo, UndoOrder } from '../../part/store/effects.ts';
import type { RuntimeEffect } from '../container/container-effects.ts';
import { removePodCgroup } from './pod-cgroup.ts';
import { removeShm } from './pod-files.ts';

/** A plugin finds the pod's rules through its namespace; the rest goes whatever stays, but for the directory that holds it. */
export const podUndoOrder: UndoOrder = {
  'infra': [],
  'cgroup': ['infra'],
  'network': [],
  'namespaces': ['network'],
  'idmapped-layers': [],
  'shm': [],
};

export function podUndos(deps: { cni: Cni; cgroups: Cgroups; removeFromRuntime(id: string, effect: RuntimeEffect): Promise<void> }): Readonly<Record<string, Undo>> {
  return {
    'pod-directory': ({ path }: { path: string }) => removeUnmountedTree(path),
    'shm': removeShm,
    'namespaces': ({ directory }: { directory: string }) => removeNamespaces(directory),
    'idmapped-layers': ({ path }: { path: string }) => unmountIdmapped(path),
    'network': (attachment: Attachment) => deps.cni.del(attachment),
    'cgroup': (data: { path: string }) => removePodCgroup(deps.cgroups, data),
    'infra': (effect: RuntimeEffect, id: string) => deps.removeFromRuntime(id, effect),
  };
}
