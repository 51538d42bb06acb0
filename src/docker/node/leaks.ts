import type { ClearedLeak, Leak, ListLeaksResponse } from '../../gen/admin.ts';
import { messageOf } from '../../base/errors.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { removeFromEngine } from '../container/remove-container.ts';
import { removeHalfMadePod } from '../pod/remove-pod.ts';
import type { ContainerRecord, PodRecord } from '../records.ts';

/** What the Engine holds of ours that nobody can ask for: pods that never came to be, and containers whose pod somebody else removed. */
export function listLeaks(deps: DockerDeps): ListLeaksResponse {
  const leaks: Leak[] = [
    ...halfMadePods(deps).map((pod) => ({ kind: 'docker-pod', name: pod.engine.Name.slice(1), owner: pod.id, since: pod.createdAt, bytes: 0n })),
    ...orphans(deps).map((container) => ({ kind: 'docker-container', name: container.engine.Name.slice(1), owner: container.id, since: container.createdAt, bytes: 0n })),
  ];
  return { leaks, debts: [], unseen: [] };
}

export async function clearLeaks(deps: DockerDeps, leaks: readonly Leak[]): Promise<ClearedLeak[]> {
  return await Promise.all(leaks.map(async (leak) => {
    try {
      const pod = halfMadePods(deps).find(({ id }) => id === leak.owner);
      const orphan = orphans(deps).find(({ id }) => id === leak.owner);
      if (pod !== undefined) await removeHalfMadePod(deps, pod);
      else if (orphan !== undefined) await removeFromEngine(deps, orphan);
      return { leak, error: '' };
    } catch (error) {
      return { leak, error: messageOf(error) };
    }
  }));
}

/** Those of a daemon that was killed meanwhile; what this one is making is none. */
export function halfMadePods(deps: Pick<DockerDeps, 'mirror' | 'making'>): PodRecord[] {
  return deps.mirror.podsInTheMaking.filter(({ engine }) => !deps.making.has(engine.Name.slice(1)));
}

function orphans({ mirror }: DockerDeps): ContainerRecord[] {
  return mirror.containers.all().filter(({ podId }) => mirror.pods.get(podId) === undefined);
}
