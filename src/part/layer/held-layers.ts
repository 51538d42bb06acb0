import { join } from 'node:path';
import type { HeldThing } from '../../base/held-thing.ts';
import { heldFiles } from '../../host/held-files.ts';

/** Every directory of an unpacked layer, and of one that is being unpacked, and the outlines of both; each is its own owner, by its short name. */
export async function heldLayers(root: string): Promise<HeldThing[]> {
  const ownerOf = (name: string): string => name;
  const found = await Promise.all([
    heldFiles({ kind: 'staging', folder: join(root, 'staging'), ownerOf }),
    heldFiles({ kind: 'layer', folder: join(root, 'layers'), ownerOf }),
    heldFiles({ kind: 'outline', folder: join(root, 'outlines'), ownerOf }),
  ]);
  return found.flat();
}
