/** What a container changed in its root, read from the upper directory of an overlay (kernel documentation, overlayfs "whiteouts and opaque directories"). */
import { closeSync, constants } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { failure, hasCode } from '../../base/errors.ts';
import { openBeneath } from '../../host/beneath.ts';
import { libc, O_PATH } from '../../host/libc.ts';

export interface RootChanges {
  /** Paths below the upper directory of all that is there, `.` and directories included, as bytes. */
  readonly present: readonly Buffer[];
  /** Paths that the layers below have and the root has not, with a slash in front. */
  readonly deleted: readonly string[];
}

/** Nobody may write meanwhile. A name in `deleted` that is no UTF-8 is failed-precondition: the list of a checkpoint is JSON. */
export async function rootChanges(upper: string, layers: readonly string[]): Promise<RootChanges> {
  const [present, deleted]: [Buffer[], string[]] = [[Buffer.from('.')], []];
  const open: Buffer[] = [Buffer.alloc(0)];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const folder = joined(Buffer.from(upper), path);
    const names = await readdir(folder, { encoding: 'buffer' });
    if (isOpaque(folder)) deleted.push(...(await hiddenBelow(path, layers, names)));
    for (const name of names) {
      const inside = joined(path, name);
      const found = await lstat(joined(folder, name));
      if (found.isCharacterDevice() && found.rdev === 0) {
        deleted.push(pathText(inside));
        continue;
      }
      present.push(inside);
      if (!found.isDirectory()) continue;
      refuseRedirect(joined(folder, name), inside);
      open.push(inside);
    }
  }
  return { present, deleted };
}

/** Names that the layers have in a directory which hides them all, and which it has not itself. */
async function hiddenBelow(path: Buffer, layers: readonly string[], own: readonly Buffer[]): Promise<string[]> {
  const names = new Map<string, Buffer>();
  for (const layer of layers) for (const name of await namesBeneath(layer, path)) names.set(name.toString('latin1'), name);
  for (const name of own) names.delete(name.toString('latin1'));
  return [...names.values()].map((name) => pathText(joined(path, name)));
}

async function namesBeneath(layer: string, path: Buffer): Promise<Buffer[]> {
  let folder: number;
  try {
    folder = openBeneath(layer, path, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
  try {
    return await readdir(`/proc/self/fd/${folder}/`, { encoding: 'buffer' });
  } finally {
    closeSync(folder);
  }
}

function isOpaque(folder: Buffer): boolean {
  return libc.lgetxattr(folder, 'trusted.overlay.opaque')?.toString() === 'y';
}

/** With the module's option `redirect_dir` overlayfs leaves the content of a renamed directory where it was, under its old name. */
function refuseRedirect(folder: Buffer, path: Buffer): void {
  if (libc.lgetxattr(folder, 'trusted.overlay.redirect') === undefined) return;
  throw failure('failed-precondition', { act: 'read the changes of a root', object: path.toString(), why: 'the directory was renamed, and this kernel notes that as a redirect (overlay.redirect_dir): switch that off on this node' });
}

function joined(folder: Buffer, name: Buffer): Buffer {
  return folder.length === 0 ? name : Buffer.concat([folder, Buffer.from('/'), name]);
}

function pathText(path: Buffer): string {
  const text = path.toString();
  if (!Buffer.from(text).equals(path)) throw failure('failed-precondition', { act: 'read the changes of a root', object: JSON.stringify(text), why: 'it was deleted, and its name is not UTF-8, which a checkpoint cannot hold' });
  return `/${text}`;
}
