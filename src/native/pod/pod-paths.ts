/** Where a pod lives on disk: all of it under the state directory, gone after a reboot. */
import { join } from 'node:path';

export interface PodPaths {
  readonly directory: string;
  /** Pinned namespaces: `net`, `ipc`, `uts`, and `user` if it has its own. */
  readonly namespaces: string;
  readonly resolvConf: string;
  readonly hostname: string;
  /** The pod's own /dev/shm. */
  readonly shm: string;
  /** The OCI bundle of the infra process. */
  readonly infra: string;
  /**
   * The images' layers as the pod's user namespace sees their owners. Its name is short, for it stands once for each layer in the
   * one page that the kernel takes of mount options.
   */
  readonly layers: string;
}

export function podPaths(stateDir: string, id: string): PodPaths {
  const directory = join(stateDir, 'pods', id);
  return {
    directory,
    namespaces: join(directory, 'ns'),
    resolvConf: join(directory, 'resolv.conf'),
    hostname: join(directory, 'hostname'),
    shm: join(directory, 'shm'),
    infra: join(directory, 'infra'),
    layers: join(stateDir, 'layers', id.slice(0, 16)),
  };
}
