import { join } from 'node:path';

/** Where a pod's network namespace is pinned. On the tmpfs of the daemon's state: a reboot takes it away. */
export function podDirectory(stateDir: string, id: string): string {
  return join(stateDir, 'docker', 'pods', id);
}

/** The file that is the pod's network namespace; it need not be there. */
export function networkPin(stateDir: string, id: string): string {
  return join(podDirectory(stateDir, id), 'net');
}
