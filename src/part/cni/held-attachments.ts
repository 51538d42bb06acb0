import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../../base/errors.ts';
import type { HeldThing } from '../../base/held-thing.ts';
import { removeTree } from '../../host/files.ts';
import { namesIn } from '../../host/held-files.ts';
import { findProgram } from '../../host/find-program.ts';
import { run } from '../../host/spawn.ts';
import type { AttachmentCache, CachedAttachment } from './attachment-cache.ts';
import type { Cni } from './network.ts';

const cacheFile = /^([^:]+):([^:]+?)(?:\.result)?\.json$/;
const linkDeadlineMs = 10_000;

export interface AttachmentPlaces {
  readonly cacheDir: string;
  readonly cache: AttachmentCache;
  readonly cni: Pick<Cni, 'del'>;
}

/** What is on record as attached to a network, and the host's ends of the pods' cables (veth) that those records name. */
export async function heldAttachments(places: AttachmentPlaces): Promise<HeldThing[]> {
  const keys = new Map<string, { containerId: string; ifName: string }>();
  for (const name of await namesIn(places.cacheDir)) {
    const [, containerId, ifName] = cacheFile.exec(name) ?? [];
    if (containerId !== undefined && ifName !== undefined) keys.set(`${containerId}:${ifName}`, { containerId, ifName });
  }
  const found = await Promise.all([...keys].map(async ([stem, key]) => {
    const cached = await places.cache.read(key);
    const since = await stat(join(places.cacheDir, `${stem}.json`), { bigint: true }).then(({ mtimeNs }) => mtimeNs, () => undefined);
    const attachment: HeldThing = { kind: 'attachment', name: stem, owner: key.containerId, since, remove: () => detach(places, stem, cached) };
    return [attachment, ...await Promise.all(hostInterfaces(cached).map((one) => cable(one, key.containerId)))].filter((thing) => thing !== undefined);
  }));
  return found.flat();
}

/** As a removal of the pod does. A record that was cut short tells nothing to detach with. */
async function detach({ cacheDir, cni }: AttachmentPlaces, stem: string, cached: CachedAttachment | undefined): Promise<void> {
  if (cached !== undefined) await cni.del(cached.attachment);
  for (const suffix of ['.result.json', '.json']) await removeTree(join(cacheDir, `${stem}${suffix}`));
}

interface HostInterface {
  readonly name: string;
  readonly mac: string;
}

/** Those of a result that are on the host (CNI spec section 5): the cable's end, and bridges. */
function hostInterfaces(cached: CachedAttachment | undefined): HostInterface[] {
  const interfaces = (cached?.result?.['interfaces'] ?? []) as readonly Partial<HostInterface & { sandbox: string }>[];
  return interfaces.flatMap(({ name, mac, sandbox }) => (name !== undefined && mac !== undefined && !sandbox ? [{ name, mac }] : []));
}

/** Undefined where there is no such interface, where it got another address and so is another, and where it is no cable but a bridge. */
async function cable(wanted: HostInterface, owner: string): Promise<HeldThing | undefined> {
  if (!await isCable(wanted)) return undefined;
  return {
    kind: 'interface', name: wanted.name, owner,
    async remove() {
      if (await isCable(wanted)) await deleteLink(wanted.name);
    },
  };
}

async function deleteLink(name: string): Promise<void> {
  const program = findProgram('ip');
  const detail = { act: 'delete interface', object: name };
  if (program === undefined) throw failure('failed-precondition', { ...detail, why: 'there is no program ip: install iproute2' });
  const { code, stderr } = await run(program, ['link', 'delete', name], { deadlineMs: linkDeadlineMs });
  if (code !== 0) throw failure('internal', { ...detail, why: stderr.toString().trim() });
}

async function isCable({ name, mac }: HostInterface): Promise<boolean> {
  const read = (file: string): Promise<string> => readFile(join('/sys/class/net', name, file), 'latin1').then((text) => text.trim(), () => '');
  const [address, index, peer] = await Promise.all([read('address'), read('ifindex'), read('iflink')]);
  return address !== '' && address.toLowerCase() === mac.toLowerCase() && index !== peer;
}
