/** Files and directories of our own, written so that a crash leaves the old state or the new one, never half of either. */
import { atPoint } from '../base/faults.ts';
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';

/** Replaces a file's content: temporary file, fsync, rename, fsync of the directory. Durable when it resolves. */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  await writeAtomic(path, data, { mode });
}

/** As writeFileAtomic, for a file of somebody else's: it keeps its mode and its owner. One that is not there is made with 0644. */
export async function replaceContent(path: string, data: string | Uint8Array): Promise<void> {
  const like = await stat(path).catch(() => undefined);
  await writeAtomic(path, data, like === undefined ? { mode: 0o644 } : { mode: like.mode & 0o7777, owner: like });
}

/** With an owner, the mode is exact, whatever the umask. */
async function writeAtomic(path: string, data: string | Uint8Array, { mode, owner }: { readonly mode: number; readonly owner?: { readonly uid: number; readonly gid: number } }): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      if (owner !== undefined) {
        await file.chown(owner.uid, owner.gid);
        await file.chmod(mode);
      }
      await atPoint('file/write', () => file.writeFile(data), () => file.writeFile(data.slice(0, data.length / 2)));
      await file.sync();
    } finally {
      await file.close();
    }
    await atPoint('file/rename', () => rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Gives a finished file its name, which another may have had. Durable when it resolves. */
export async function publishFile(temporary: string, path: string): Promise<void> {
  const file = await open(temporary, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await atPoint('file/rename', () => rename(temporary, path));
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Makes a directory (and its parents) and sees to its exact mode, also when it was there with a wider one
 * (CVE-2021-41103: state that other users could read). 0711 is for those that hold what `letRootPass` opens.
 */
export function makePrivateDir(path: string, mode = 0o700): void {
  mkdirSync(path, { recursive: true, mode });
  if ((statSync(path).mode & 0o7777) !== mode) chmodSync(path, mode);
}

/**
 * Lets root of a user namespace pass through a closed directory of ours, as an OCI runtime has to that sets up mounts in there, and
 * nobody else of the node: it is the group's right, and the group is its root's. Without maps nothing changes.
 */
export function letRootPass(path: string, maps: { readonly gids: { readonly hostId: number } } | undefined): void {
  if (maps === undefined) return;
  chownSync(path, 0, maps.gids.hostId);
  chmodSync(path, 0o710);
}

/** Removes a file or a whole tree of our own; absent is fine. It does not stop at mounts: take away first what is mounted below. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
}
