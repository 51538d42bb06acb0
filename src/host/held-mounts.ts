import { hasCode } from '../base/errors.ts';
import type { HeldThing } from '../base/held-thing.ts';
import type { HeldFolder } from './held-files.ts';
import { libc, MNT_DETACH, UMOUNT_NOFOLLOW } from './libc.ts';
import { mountsBelow } from './mounts-below.ts';

/**
 * What is mounted in the entries of our folders, pinned namespaces among it: the newest first, as they have to be taken away. A mount
 * on one of the folders themselves is the administrator's.
 */
export async function heldMounts(folders: readonly Omit<HeldFolder, 'kind'>[]): Promise<HeldThing[]> {
  const found = await Promise.all(folders.map(async ({ folder, ownerOf }) => (await mountsBelow(folder)).flatMap(({ mountPoint, type }): HeldThing[] => {
    const owner = ownerOf(mountPoint.slice(folder.length + 1).split('/')[0]!);
    if (owner === undefined) return [];
    return [{ kind: type === 'nsfs' ? 'namespace' : 'mount', name: mountPoint, owner, remove: () => detach(mountPoint) }];
  })));
  return found.flat().reverse();
}

async function detach(mountPoint: string): Promise<void> {
  try {
    await libc.umount2Aside(mountPoint, UMOUNT_NOFOLLOW | MNT_DETACH);
  } catch (error) {
    if (!hasCode(error, 'EINVAL') && !hasCode(error, 'ENOENT')) throw error;
  }
}
