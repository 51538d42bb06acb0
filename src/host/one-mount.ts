/**
 * Two directories of one filesystem, seen through one mount. The kernel makes hard links within a mount only, and two paths are often not on the same
 * one although their disk is: dockerd, for one, mounts its layers' directory onto itself. A copy of the mount below both, without what is
 * mounted on it, shows them side by side. It is attached nowhere and goes with its descriptor.
 */
import { closeSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { libc } from './libc.ts';
import { mountOf, parseMountTable } from './mount-table.ts';
import type { MountEntry } from './mount-table.ts';

export interface OneMount {
  /** Both directories, by paths that hold until `close`. */
  readonly first: string;
  readonly second: string;
  close(): void;
}

/** Undefined when no mount shows both: they are on different filesystems, or one is on a part that the other's mount does not show. */
export async function openOneMount(first: string, second: string): Promise<OneMount | undefined> {
  const [text, ...places] = await Promise.all([readFile('/proc/self/mountinfo', 'utf8'), realpath(first), realpath(second)]);
  const table = parseMountTable(text);
  const [below, other] = [mountOf(table, places[0]), mountOf(table, places[1])];
  if (below === undefined || other === undefined || below.device !== other.device) return undefined;
  const [from, to] = [within(below, pathOnFilesystem(below, places[0])), within(below, pathOnFilesystem(other, places[1]))];
  if (from === undefined || to === undefined) return undefined;
  const descriptor = libc.cloneMount(below.mountPoint);
  return { first: `/proc/self/fd/${descriptor}/${from}`, second: `/proc/self/fd/${descriptor}/${to}`, close: () => closeSync(descriptor) };
}

function pathOnFilesystem({ root, mountPoint }: MountEntry, place: string): string {
  return path.join(root, path.relative(mountPoint, place));
}

/** A path of the filesystem as the mount shows it, relative to its root; undefined when it does not. */
function within({ root }: MountEntry, place: string): string | undefined {
  const found = path.relative(root, place);
  return found.startsWith('..') ? undefined : found;
}
