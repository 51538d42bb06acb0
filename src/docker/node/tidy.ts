import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, messageOf } from '../../base/errors.ts';
import { removeNamespaces } from '../../host/namespaces.ts';
import { podInterface } from '../../part/cni/pod-attachment.ts';
import { usesHostNetwork } from '../../part/spec/pod-config.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { podDirectory } from '../pod/pod-places.ts';
import { removeHalfMadePod } from '../pod/remove-pod.ts';
import { halfMadePods } from './leaks.ts';

/**
 * Takes away what nobody needs: pods that a killed daemon had in the making, and network of pods that are gone, which somebody removed behind our
 * back. Run whenever all of the Engine was read anew. What fails is told, and comes again with the next time.
 */
export async function tidy(deps: DockerDeps): Promise<void> {
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      deps.log.warn(`cannot take away ${what} yet`, { error: messageOf(error) });
    }
  };
  for (const pod of halfMadePods(deps)) await attempt(`the half made pod ${pod.id}`, () => removeHalfMadePod(deps, pod));
  await attempt('the network of pods that are gone', () => deps.cni.gc(() => networkOwners(deps).map((containerId) => ({ containerId, ifName: podInterface }))));
  await attempt('the namespaces of pods that are gone', () => unpinUnowned(deps));
}

/** Every pod that has a network or is about to have one. */
function networkOwners(deps: DockerDeps): string[] {
  const pods = deps.mirror.pods.all().filter((pod) => !usesHostNetwork(pod.config)).map(({ id }) => id);
  return [...pods, ...deps.mirror.podsInTheMaking.map(({ id }) => id), ...deps.making]; // names among them do no harm
}

async function unpinUnowned(deps: DockerDeps): Promise<void> {
  const owners = new Set(networkOwners(deps));
  for (const id of await pinned(deps.roots.state)) if (!owners.has(id)) removeNamespaces(podDirectory(deps.roots.state, id));
}

async function pinned(stateDir: string): Promise<string[]> {
  try {
    return await readdir(join(stateDir, 'docker', 'pods'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
