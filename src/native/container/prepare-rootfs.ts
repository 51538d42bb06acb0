import { mkdirSync } from 'node:fs';
import { mountOverlay } from '../../part/snapshot/overlay.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerInTheMaking } from './create-container.ts';

/** Makes the bundle and the writable layer, and mounts the container's root over the image's layers. */
export async function prepareRootfs(deps: ContainerDeps, { id, image }: ContainerInTheMaking): Promise<void> {
  const paths = containerPaths(deps.roots, id);
  await deps.effects.make({ owner: id, kind: 'bundle', data: { path: paths.bundle } }, () => {
    mkdirSync(paths.bundle, { recursive: true, mode: 0o711 });
  });
  await deps.effects.make({ owner: id, kind: 'writable-layer', data: { path: paths.writable } }, () => {
    mkdirSync(paths.writable, { recursive: true, mode: 0o711 });
  });
  await deps.effects.make({ owner: id, kind: 'rootfs', data: { path: paths.rootfs } }, () => {
    mountOverlay({ writableDir: paths.writable, mountpoint: paths.rootfs, layers: image.layers });
  });
}
