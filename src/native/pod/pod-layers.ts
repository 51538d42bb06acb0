import { join } from 'node:path';
import { mountIdmapped } from '../../host/idmapped-mount.ts';
import { snapshotterBy } from '../../part/snapshot/choose-snapshotter.ts';
import type { PodDeps } from './pod-deps.ts';
import { pinnedNamespaces } from './pod-namespaces.ts';
import { podPaths } from './pod-paths.ts';
import type { PodInTheMaking } from './run-pod.ts';
import { podIdMappings } from '../../part/spec/pod-config.ts';

/**
 * For a pod with a user namespace: a view of all images' layers in which root of the pod owns what root owns on the disk. The roots of
 * its containers are mounted over it, so that no file of an image is copied or changed for a pod. Where roots are copied, their copies are made with mapped owners.
 */
export async function mapLayers(deps: PodDeps, pod: PodInTheMaking): Promise<void> {
  const maps = podIdMappings(pod.config);
  if (maps === undefined || snapshotterBy(pod.ground.snapshotter, deps.snapshotters).driver === 'copy') return;
  const { layers } = podPaths(deps.roots.state, pod.id);
  await deps.effects.make({ owner: pod.id, kind: 'idmapped-layers', data: { path: layers } }, () => {
    mountIdmapped({ source: join(deps.roots.root, 'layers'), target: layers, userNamespace: pinnedNamespaces(deps.roots.state, pod.id).user! }, maps.uids.hostId);
  });
}
