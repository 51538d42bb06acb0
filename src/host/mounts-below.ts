import { readFile } from 'node:fs/promises';
import { failure } from '../base/errors.ts';
import { removeTree } from './files.ts';
import { parseMountTable } from './mount-table.ts';
import type { MountEntry } from './mount-table.ts';

/** What is mounted on a directory or below it, in the order in which it was mounted. */
export async function mountsBelow(path: string): Promise<MountEntry[]> {
  const table = parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
  return table.filter(({ mountPoint }) => mountPoint === path || mountPoint.startsWith(`${path}/`));
}

/**
 * As removeTree, for a directory in which somebody else may have mounted something: then it is failed-precondition and nothing is
 * removed, as the files of that mount are not ours.
 */
export async function removeUnmountedTree(path: string): Promise<void> {
  await checkUnmounted(path);
  await removeTree(path);
}

/** Throws the failed-precondition of `removeUnmountedTree`. */
export async function checkUnmounted(path: string): Promise<void> {
  const mounts = await mountsBelow(path);
  if (mounts.length === 0) return;
  throw failure('failed-precondition', { act: 'remove', object: path, why: `somebody has mounted something there: unmount ${mounts.map(({ mountPoint }) => mountPoint).join(', ')}` });
}
