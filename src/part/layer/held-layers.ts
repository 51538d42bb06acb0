import { join } from 'node:path';
import type { HeldThing } from '../../base/held-thing.ts';
import { heldFiles } from '../../host/held-files.ts';

/** Every directory of an unpacked layer, and of one that is being unpacked; each is its own owner, by its short name. */
export async function heldLayers(root: string): Promise<HeldThing[]> {
  const ownerOf = (name: string): string => name;
  const [staging, layers] = await Promise.all([
    heldFiles({ kind: 'staging', folder: join(root, 'staging'), ownerOf }),
    heldFiles({ kind: 'layer', folder: join(root, 'layers'), ownerOf }),
  ]);
  return [...staging, ...layers];
}
