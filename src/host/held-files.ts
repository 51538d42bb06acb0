import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../base/errors.ts';
import type { HeldThing } from '../base/held-thing.ts';
import { checkUnmounted } from './mounts-below.ts';
import { removeLargeTree } from './remove-large-tree.ts';

export interface HeldFolder {
  readonly kind: string;
  /** A folder of our own; absent counts as empty. */
  readonly folder: string;
  /** Tells whose an entry is by its name; undefined for what is nobody's business. */
  ownerOf(name: string): string | undefined;
}

/** The entries of one of our folders, each with its age, and a file with its size. */
export async function heldFiles({ kind, folder, ownerOf }: HeldFolder): Promise<HeldThing[]> {
  const things = await Promise.all((await namesIn(folder)).map(async (name): Promise<HeldThing[]> => {
    const owner = ownerOf(name);
    const path = join(folder, name);
    const found = owner === undefined ? undefined : await stat(path, { bigint: true }).catch(() => undefined); // it may be gone meanwhile
    if (owner === undefined || found === undefined) return [];
    return [{
      kind, name: path, owner, since: found.mtimeNs, bytes: found.isFile() ? found.size : undefined,
      async remove() {
        await checkUnmounted(path);
        await removeLargeTree(path);
      },
    }];
  }));
  return things.flat();
}

/** The names in a folder; none where it is absent. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}
