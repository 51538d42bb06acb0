/** Where a container lives on disk. */
import { join } from 'node:path';

export interface ContainerPaths {
  /** The OCI bundle (config.json, pid files): gone after a reboot. */
  readonly bundle: string;
  /** Where its merged root is mounted. */
  readonly rootfs: string;
  /** Below it are the images that it mounts as volumes. */
  readonly imageVolumes: string;
  /** Its writable layer: survives a reboot. */
  readonly writable: string;
  /** Below it are copies of the images that it mounts as volumes, where roots are copied. */
  readonly copiedImages: string;
  /** Below it are the volumes that its image declares, part of what it has written. */
  readonly declaredVolumes: string;
}

export function containerPaths(roots: { root: string; state: string }, id: string): ContainerPaths {
  const bundle = join(roots.state, 'containers', id);
  const writable = join(roots.root, 'containers', id);
  return { bundle, rootfs: join(bundle, 'rootfs'), imageVolumes: join(bundle, 'images'), writable, copiedImages: join(writable, 'images'), declaredVolumes: join(writable, 'volumes') };
}
