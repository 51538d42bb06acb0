import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { namesIn } from '../../host/held-files.ts';
import type { AttachmentKey } from './attachment.ts';
import type { NetworkConfig } from './network-config.ts';
import { podInterface } from './pod-attachment.ts';

/** Where the plugin host-local keeps its leases when the configuration names no other place. */
export const usualDataDir = '/var/lib/cni/networks';

/** The places of host-local that a network's plugins name; none where its addresses come from elsewhere. */
export function dataDirsOf({ plugins }: NetworkConfig): string[] {
  return plugins.flatMap(({ config }) => {
    const ipam = config['ipam'] as { readonly type?: unknown; readonly dataDir?: unknown } | undefined;
    if (ipam?.type !== 'host-local') return [];
    return [typeof ipam.dataDir === 'string' && ipam.dataDir !== '' ? ipam.dataDir : usualDataDir];
  });
}

/**
 * Everybody's attachments to a network, as its leases tell: those of another runtime or of a second daemon on this node too. Undefined where nobody
 * can tell, as its addresses do not come from host-local.
 */
export async function leasedAttachments(network: NetworkConfig): Promise<AttachmentKey[] | undefined> {
  const dataDirs = dataDirsOf(network);
  if (dataDirs.length === 0) return undefined;
  const folders = [...new Set(dataDirs)].map((dataDir) => join(dataDir, network.name));
  return (await Promise.all(folders.map(leasesIn))).flat();
}

async function leasesIn(folder: string): Promise<AttachmentKey[]> {
  const leases = (await namesIn(folder)).filter((name) => isIP(name) !== 0).sort();
  const keys = await Promise.all(leases.map((name) => leaseOf(join(folder, name))));
  return keys.filter(({ containerId }) => containerId !== '');
}

/** The container on the first line, its interface on the second, which plugins before 0.8 did not write. One given back meanwhile names nobody. */
async function leaseOf(file: string): Promise<AttachmentKey> {
  const [containerId = '', ifName = ''] = (await readFile(file, 'latin1').catch(() => '')).split(/\s+/);
  return { containerId, ifName: ifName === '' ? podInterface : ifName };
}
