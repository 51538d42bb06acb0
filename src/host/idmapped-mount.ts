/** Mounts that show files under other owners, mount_setattr(2) "ID-mapped mounts": what root owns on the disk, root of a pod owns there. */
import { closeSync, mkdirSync, openSync, rmdirSync, statSync } from 'node:fs';
import { failure, hasCode } from '../base/errors.ts';
import { libc, MNT_DETACH, UMOUNT_NOFOLLOW } from './libc.ts';

/**
 * Mounts a directory of our own at `target` (made if absent), its owners mapped as the pinned user namespace maps ids. What is mounted
 * below `source` is not seen there. failed-precondition where kernel or filesystem cannot do that, found out by looking at the
 * result; nothing is mounted then.
 */
export function mountIdmapped({ source, target, userNamespace }: { source: string; target: string; userNamespace: string }, rootOwner: number): void {
  mkdirSync(target, { mode: 0o700 });
  const userFd = openSync(userNamespace, 'r');
  try {
    const mountFd = idmappedClone(source, userFd);
    try {
      libc.attachMount(mountFd, target);
    } finally {
      closeSync(mountFd);
    }
  } finally {
    closeSync(userFd);
  }
  if (statSync(source).uid === 0 && statSync(target).uid !== rootOwner) {
    libc.umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH);
    throw cannotIdmap(source, `the owner is shown as ${statSync(target).uid}, not as ${rootOwner}`);
  }
}

/** Throws the failed-precondition of `mountIdmapped` if that would. */
export function checkIdmappable(source: string, userFd: number): void {
  closeSync(idmappedClone(source, userFd));
}

function idmappedClone(source: string, userFd: number): number {
  const mountFd = libc.cloneMount(source);
  try {
    libc.idmapMount(mountFd, userFd);
    return mountFd;
  } catch (cause) {
    closeSync(mountFd);
    if (hasCode(cause, 'EINVAL') || hasCode(cause, 'ENOSYS') || hasCode(cause, 'EPERM') || hasCode(cause, 'EOPNOTSUPP')) throw cannotIdmap(source, 'the kernel refuses', cause);
    throw cause;
  }
}

function cannotIdmap(source: string, why: string, cause?: unknown): Error {
  return failure('failed-precondition', { act: 'map the owners of files in', object: source, why: `its filesystem or this kernel cannot do that (${why}): pods with a user namespace need it`, cause });
}

/** Takes away what `mountIdmapped` mounted, and its directory; absent or half made is fine. */
export async function unmountIdmapped(target: string): Promise<void> {
  try {
    await libc.umount2Aside(target, UMOUNT_NOFOLLOW | MNT_DETACH);
  } catch (error) {
    if (!hasCode(error, 'EINVAL') && !hasCode(error, 'ENOENT')) throw error;
  }
  try {
    rmdirSync(target);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
