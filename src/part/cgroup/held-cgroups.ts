import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HeldThing } from '../../base/held-thing.ts';
import { hierarchies } from './cgroup-layout.ts';
import type { Cgroups } from './cgroups.ts';

/** A container's cgroup, a scope that systemd made for one, or the cgroup of a pod that brought none. */
const named = /^(pod|gantry-)?([0-9a-f]{64})(?:\.scope)?$/;

/**
 * Every cgroup that is named after an id, in any hierarchy, deepest first. Not all are ours: other runtimes name theirs so as well. What
 * is inside of a container's is its own business.
 */
export async function heldCgroups(cgroups: Cgroups): Promise<HeldThing[]> {
  const found = new Map<string, HeldThing>();
  for (const mount of hierarchies(cgroups.layout)) await walk(cgroups, { mount, path: '/', found });
  return [...found.values()].sort((one, other) => other.name.length - one.name.length);
}

async function walk(cgroups: Cgroups, at: { mount: string; path: string; found: Map<string, HeldThing> }): Promise<void> {
  const entries = await readdir(join(at.mount, at.path), { withFileTypes: true }).catch(() => []); // it may be gone meanwhile
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const path = join(at.path, entry.name);
    const [, prefix, owner] = named.exec(entry.name) ?? [];
    if (owner !== undefined && !at.found.has(path)) at.found.set(path, await thing(cgroups, { mount: at.mount, path, owner, isPod: prefix === 'pod' }));
    if (owner === undefined || prefix === 'pod') await walk(cgroups, { ...at, path });
  }
}

async function thing(cgroups: Cgroups, { mount, path, owner, isPod }: { mount: string; path: string; owner: string; isPod: boolean }): Promise<HeldThing> {
  const since = await stat(join(mount, path), { bigint: true }).then(({ mtimeNs }) => mtimeNs, () => undefined);
  return {
    kind: 'cgroup', name: path, owner, since,
    async remove() {
      if (!isPod) await cgroups.kill(path); // nothing lives in a pod's own, and what lives below it has a name of its own
      await cgroups.remove(path);
    },
  };
}
