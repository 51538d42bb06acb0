import { messageOf } from '../../base/errors.ts';
import type { PodDeps } from './pod-deps.ts';
import { podInterface } from './pod-network.ts';

/**
 * Takes up where the daemon before this one stopped: undoes pods that were never finished, and gives back the addresses of pods
 * that a reboot ended and that nobody has removed yet.
 */
export async function recoverPods(deps: PodDeps): Promise<void> {
  await undoUnfinishedPods(deps);
  await Promise.all(deps.records.all().filter((record) => record.bootId !== deps.bootId).map(async (record) => {
    await deps.effects.undo(record.id, ['infra', 'network']).catch((error: unknown) => deps.log.warn('give back the network of a pod from before the reboot', { pod: record.id, error: messageOf(error) }));
  }));
}

/** Undoes what is on the ledger for pods that do not exist: cut short by a crash, or not undone completely at the first try. */
export async function undoUnfinishedPods(deps: PodDeps): Promise<void> {
  for (const owner of deps.effects.owners()) {
    if (deps.records.get(owner) !== undefined || deps.making.has(owner)) continue;
    deps.log.info('undo what is left of an unfinished pod', { pod: owner });
    await deps.effects.rollback(owner);
  }
}

/** Lets the network plugins drop whatever they hold for pods that are not ours any more (CNI GC). */
export async function collectNetworkGarbage(deps: PodDeps): Promise<void> {
  const attached = (): { containerId: string; ifName: string }[] => deps.effects.owners().map((containerId) => ({ containerId, ifName: podInterface }));
  await deps.cni.gc(attached).catch((error: unknown) => deps.log.warn('collect garbage of the network', { error: messageOf(error) }));
}
