import { join } from 'node:path';
import { during } from '../base/errors.ts';
import { libc, MS_BIND } from './libc.ts';
import { makePinFiles, removeNamespaces } from './namespaces.ts';

/**
 * Keeps the network namespace of a process that somebody else made by a file, `net` in this directory, whose path is returned: it outlives
 * the process, and cannot come to mean another's by a pid that is used again. `removeNamespaces` lets it go. Pinned already: already-exists.
 */
export function pinNetworkNamespace(pid: number, directory: string): string {
  const pin = join(directory, 'net');
  makePinFiles(directory, ['net']);
  try {
    libc.mount(`/proc/${pid}/ns/net`, pin, '', MS_BIND, null);
  } catch (error) {
    removeNamespaces(directory);
    throw during(error, { act: 'pin network namespace of process', object: String(pid) });
  }
  return pin;
}
