import { mkdirSync } from 'node:fs';
import { letRootPass } from '../../host/files.ts';
import { mountOverlay } from '../../part/snapshot/overlay.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import { selinuxLabels } from '../../part/spec/with-selinux.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { layersSeenBy, rootOf, selinuxOf } from './pod-place.ts';

/**
 * The mode of both directories: what an image marks setuid must not be within reach of the node's users (CVE-2021-41103), who can
 * learn a container's id from the mount table. Its own processes never walk these paths, but root of the pod's user namespace does, with
 * whose power the OCI runtime sets the root up.
 */
const privateMode = 0o700;

/** Makes the bundle and the writable layer, and mounts the container's root over the image's layers. */
export async function prepareRootfs(deps: ContainerDeps, { id, pod, config, image }: ContainerInTheMaking): Promise<void> {
  const paths = containerPaths(deps.roots, id);
  const selinux = selinuxOf(deps.selinux, pod);
  const rootOwner = rootOf(pod);
  const label = selinux && selinuxLabels(config, pod.config, selinux).file;
  await deps.effects.make({ owner: id, kind: 'bundle', data: { path: paths.bundle } }, () => {
    mkdirSync(paths.bundle, { recursive: true, mode: privateMode });
    letRootPass(paths.bundle, pod.idMappings);
  });
  await deps.effects.make({ owner: id, kind: 'writable-layer', data: { path: paths.writable } }, () => {
    mkdirSync(paths.writable, { recursive: true, mode: privateMode });
  });
  await deps.effects.make({ owner: id, kind: 'rootfs', data: { path: paths.rootfs } }, () => {
    mountOverlay({ writableDir: paths.writable, mountpoint: paths.rootfs, layers: layersSeenBy(pod, image.layers), ...(rootOwner === undefined ? {} : { rootOwner }), ...(label === undefined ? {} : { selinuxLabel: label }) });
  });
}
