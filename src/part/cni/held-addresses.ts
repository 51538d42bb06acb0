import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { HeldThing } from '../../base/held-thing.ts';
import { removeTree } from '../../host/files.ts';
import { namesIn } from '../../host/held-files.ts';
import { dataDirsOf, usualDataDir } from './leased-attachments.ts';
import type { NetworkConfig } from './network-config.ts';

/**
 * Every address that the plugin host-local has given away in one of these networks' data directories: a file of the address's name, in a
 * folder of the network's, that begins with the container's id. Not all are ours: any runtime's pods have theirs there.
 */
export async function heldAddresses(networks: readonly NetworkConfig[]): Promise<HeldThing[]> {
  const dataDirs = new Set([usualDataDir, ...networks.flatMap(dataDirsOf)]);
  const found: HeldThing[] = [];
  for (const dataDir of dataDirs) {
    for (const network of await namesIn(dataDir)) found.push(...await addressesIn(join(dataDir, network)));
  }
  return found;
}

async function addressesIn(folder: string): Promise<HeldThing[]> {
  const leases = (await namesIn(folder)).filter((name) => isIP(name) !== 0);
  const found = await Promise.all(leases.map(async (name): Promise<HeldThing[]> => {
    const file = join(folder, name);
    const owner = await ownerOf(file);
    if (owner === '') return [];
    const since = await stat(file, { bigint: true }).then(({ mtimeNs }) => mtimeNs, () => undefined);
    return [{
      kind: 'address', name: file, owner, since,
      async remove() {
        if (await ownerOf(file) === owner) await removeTree(file); // it may have been given back, and to somebody else
      },
    }];
  }));
  return found.flat();
}

async function ownerOf(file: string): Promise<string> {
  const text = await readFile(file, 'latin1').catch(() => '');
  return text.split(/\s/, 1)[0]!;
}
