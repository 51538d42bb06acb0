/** Where a container lives on disk. */
import { join } from 'node:path';

export interface ContainerPaths {
  /** The OCI bundle (config.json, pid files): gone after a reboot. */
  readonly bundle: string;
  /** Where its merged root is mounted. */
  readonly rootfs: string;
  /** Its writable layer: survives a reboot. */
  readonly writable: string;
}

export function containerPaths(roots: { root: string; state: string }, id: string): ContainerPaths {
  const bundle = join(roots.state, 'containers', id);
  return { bundle, rootfs: join(bundle, 'rootfs'), writable: join(roots.root, 'containers', id) };
}
