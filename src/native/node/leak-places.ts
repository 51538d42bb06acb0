/** Every place on the host where Gantry puts things of pods, containers and images. */
import { join } from 'node:path';
import { idInName } from '../../base/held-thing.ts';
import type { ObjectIds } from '../../base/object-id.ts';
import { heldFiles } from '../../host/held-files.ts';
import type { HeldFolder } from '../../host/held-files.ts';
import { heldMounts } from '../../host/held-mounts.ts';
import { heldCgroups } from '../../part/cgroup/held-cgroups.ts';
import type { Cgroups } from '../../part/cgroup/cgroups.ts';
import { AttachmentCache } from '../../part/cni/attachment-cache.ts';
import { heldAddresses } from '../../part/cni/held-addresses.ts';
import { heldAttachments } from '../../part/cni/held-attachments.ts';
import { heldFirewallRules } from '../../part/cni/held-firewall-rules.ts';
import { chooseNetwork } from '../../part/cni/network-config.ts';
import type { NetworkConfig } from '../../part/cni/network-config.ts';
import type { Cni } from '../../part/cni/network.ts';
import { heldLayers } from '../../part/layer/held-layers.ts';
import { heldMonitors } from '../../part/oci/held-monitors.ts';
import { heldProgramCopies } from '../../part/oci/held-program-copies.ts';
import { heldRuntimeContainers } from '../../part/oci/held-runtime-containers.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';
import type { LeakPlace } from './leak-search.ts';

export interface LeakPlacesDeps {
  readonly roots: { readonly root: string; readonly state: string };
  readonly exitDir: string;
  /** Holds the state folder of each handler, by name. */
  readonly runtimeStates: string;
  readonly handlers: RuntimeHandlers;
  readonly cgroups: Cgroups;
  readonly cni: Cni;
  /** `conf` are those that networks are configured in now. */
  readonly cniDirs: { readonly conf: () => readonly string[]; readonly cache: string };
  readonly ids: ObjectIds;
  /** Pods and containers that exist, are being made, or are still to be undone. */
  readonly owners: () => ReadonlySet<string>;
  /** The short names of layers of which the same is true. */
  readonly layerNames: () => ReadonlySet<string>;
}

const nobody: ReadonlySet<string> = new Set();

/** How much of a pod's id names the view of the layers that is mapped for it. */
const shortForm = /^[0-9a-f]{16}$/;

/** In the order in which what is in them has to be taken away: processes, what they stand on, directories. */
export function leakPlaces(deps: LeakPlacesDeps): LeakPlace[] {
  const { owners, exitDir, cgroups, cni, ids } = deps;
  const cache = new AttachmentCache(deps.cniDirs.cache);
  const networks = async (): Promise<NetworkConfig[]> => {
    const configured = await Promise.all(deps.cniDirs.conf().map(chooseNetwork));
    return [...(await cache.all()).map((record) => record.network), ...configured.flatMap(({ network }) => network ?? [])];
  };
  const shared = { owners, isOurs: (id: string): boolean => ids.areOurs(id) };
  const folders = objectFolders(deps.roots, exitDir);
  return [
    { name: 'processes', owners, find: () => heldMonitors(exitDir) },
    { name: 'runtime states', owners, find: () => heldRuntimeContainers({ folder: deps.runtimeStates, handlers: deps.handlers }) },
    { name: 'runtime programs', owners: () => nobody, find: () => heldProgramCopies(deps.runtimeStates) },
    { name: 'cgroups', ...shared, find: () => heldCgroups(cgroups) },
    { name: 'network attachments', owners, find: () => heldAttachments({ cacheDir: deps.cniDirs.cache, cache, cni }) },
    { name: 'addresses', ...shared, find: async () => heldAddresses(await networks()) },
    { name: 'firewall', ...shared, find: heldFirewallRules },
    { name: 'mounts', owners: () => withShortForms(owners()), find: () => heldMounts(folders) },
    ...folders.map((folder) => ({ name: folder.folder, owners: () => withShortForms(owners()), find: () => heldFiles(folder) })),
    { name: 'layers', owners: deps.layerNames, find: () => heldLayers(deps.roots.root) },
  ];
}

function objectFolders({ root, state }: LeakPlacesDeps['roots'], exitDir: string): HeldFolder[] {
  const ownerOf = (name: string): string | undefined => idInName.exec(name)?.[0];
  return [
    { kind: 'exit file', folder: exitDir, ownerOf },
    { kind: 'bundle', folder: join(state, 'containers'), ownerOf },
    { kind: 'pod directory', folder: join(state, 'pods'), ownerOf },
    { kind: 'mapped layers', folder: join(state, 'layers'), ownerOf: (name) => (shortForm.test(name) ? name : undefined) },
    { kind: 'checkpoint', folder: join(root, 'checkpoints'), ownerOf },
    { kind: 'writable layer', folder: join(root, 'containers'), ownerOf },
  ];
}

function withShortForms(ids: ReadonlySet<string>): Set<string> {
  return new Set([...ids].flatMap((id) => [id, id.slice(0, 16)]));
}
