import { mkdirSync } from 'node:fs';
import { messageOf } from '../../base/errors.ts';
import { letRootPass } from '../../host/files.ts';
import type { ProjectUsage } from '../../host/project-quota.ts';
import { snapshotterBy } from '../../part/snapshot/choose-snapshotter.ts';
import type { Snapshotters } from '../../part/snapshot/choose-snapshotter.ts';
import type { CopiedUsage, SnapshotDriver, Snapshotter, TreeContent } from '../../part/snapshot/snapshotter.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { fileLabel, ownersOf } from './pod-place.ts';
import type { PodPlace } from './pod-place.ts';
import type { LayerProject } from '../../host/usage-meter.ts';

/**
 * The mode of both directories: what an image marks setuid must not be within reach of the node's users (CVE-2021-41103), who can
 * learn a container's id from the mount table. Its own processes never walk these paths, but root of the pod's user namespace does, with
 * whose power the OCI runtime sets the root up.
 */
const privateMode = 0o700;

/** How a container's root was made. */
export interface MadeRoot {
  readonly driver: SnapshotDriver;
  /** What of its writable layer came with the image. */
  readonly copied: CopiedUsage | undefined;
  readonly project: LayerProject | undefined;
}

export interface RootOptions {
  readonly signal: AbortSignal;
  /** Puts into the writable layer what the container is to have in it from the start. */
  readonly fill?: ((writable: string) => Promise<void>) | undefined;
}

/** Makes the bundle and the writable layer, and mounts the container's root of the image's layers. */
export async function prepareRootfs(deps: ContainerDeps, container: ContainerInTheMaking, { signal, fill }: RootOptions): Promise<MadeRoot> {
  const { id, pod, image } = container;
  const paths = containerPaths(deps.roots, id);
  const snapshotter = snapshotterFor(deps.snapshotters, pod);
  await deps.effects.make({ owner: id, kind: 'bundle', data: { path: paths.bundle } }, () => {
    mkdirSync(paths.bundle, { recursive: true, mode: privateMode });
    letRootPass(paths.bundle, pod.idMappings);
  });
  const projectId = await deps.effects.make({ owner: id, kind: 'writable-layer', data: { path: paths.writable } }, () => {
    mkdirSync(paths.writable, { recursive: true, mode: privateMode });
    return snapshotter.driver === 'overlay' ? projectFor(deps, id, paths.writable) : undefined;
  });
  const filled = fill === undefined ? none : await counting(deps, projectId, () => fill(paths.writable));
  const copied = await deps.effects.make({ owner: id, kind: 'rootfs', data: { path: paths.rootfs } }, () =>
    snapshotter.prepareRoot({ writableDir: paths.writable, mountpoint: paths.rootfs, ...treeContent(deps, container, image.layers) }, signal));
  return { driver: snapshotter.driver, copied, project: projectId === undefined ? undefined : asMade(deps, { projectId, pod, filled }) };
}

/**
 * All that is made in the directory later belongs to the project, which goes with its last file. A container is made without one all the
 * same, and walked. In copied roots what the image has, and images that are volumes, would count.
 */
function projectFor({ projects, log }: ContainerDeps, container: string, writable: string): number | undefined {
  try {
    return projects?.assign(writable);
  } catch (error) {
    log.warn('the filesystem does not count what this container writes: it is measured', { container, error: messageOf(error) });
    return undefined;
  }
}

const none: ProjectUsage = { bytes: 0n, inodes: 0n };

/** What `work` puts into the project. */
async function counting({ projects }: ContainerDeps, projectId: number | undefined, work: () => Promise<void>): Promise<ProjectUsage> {
  const count = (): ProjectUsage => (projectId === undefined ? none : projects!.count(projectId));
  const before = count();
  await work();
  const after = count();
  return { bytes: after.bytes - before.bytes, inodes: after.inodes - before.inodes };
}

/** With what overlayfs has in it before anybody writes; what the container comes with counts as written by it. */
function asMade({ projects }: ContainerDeps, { projectId: id, pod, filled }: { projectId: number; pod: PodPlace; filled: ProjectUsage }): LayerProject | undefined {
  try {
    const { bytes, inodes } = projects!.count(id);
    return { id, own: { bytes: bytes - filled.bytes, inodes: inodes - filled.inodes }, escapable: pod.idMappings === undefined };
  } catch {
    return undefined;
  }
}

/** What the pod was made with. One that was made while roots were copied has no layers with mapped owners, which overlay would need for its containers. */
export function snapshotterFor(snapshotters: Pick<Snapshotters, 'inUse' | 'copy'>, pod: Pick<PodPlace, 'idMappings' | 'layersRoot' | 'snapshotter'>): Snapshotter {
  return pod.idMappings !== undefined && pod.layersRoot === undefined ? snapshotters.copy : snapshotterBy(pod.snapshotter, snapshotters);
}

/** The layers with what a tree for this container needs besides. */
export function treeContent({ selinux }: Pick<ContainerDeps, 'selinux'>, { pod, config }: ContainerInTheMaking, layers: readonly string[]): TreeContent {
  const [owners, label] = [ownersOf(pod), fileLabel(selinux, { pod, config })];
  return { layers, ...(owners === undefined ? {} : { owners }), ...(label === undefined ? {} : { selinuxLabel: label }) };
}
