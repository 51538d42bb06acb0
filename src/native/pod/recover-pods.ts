import { messageOf } from '../../base/errors.ts';
import { someAtOnce } from '../container/some-at-once.ts';
import type { PodDeps } from './pod-deps.ts';
import { podInterface } from './pod-network.ts';
import { takenByStop } from './stop-pod.ts';

/**
 * Undoes what is on the ledger for pods that do not exist (cut short by a crash, or not undone completely at the first try), and what
 * a stop would have undone for pods that a reboot has ended and nobody has removed yet: their addresses.
 */
export async function undoUnfinishedPods(deps: PodDeps): Promise<void> {
  await someAtOnce(deps.effects.owners(), async (owner) => {
    const record = deps.records.get(owner);
    if (record !== undefined && record.bootId !== deps.bootId) {
      await deps.effects.undo(owner, takenByStop).catch((error: unknown) => deps.log.warn('give back the network of a pod from before the reboot', { pod: owner, error: messageOf(error) }));
    }
    if (record !== undefined || deps.making.has(owner)) return;
    deps.log.info('undo what is left of an unfinished pod', { pod: owner });
    await deps.effects.rollback(owner);
  });
}

/** Lets the network plugins drop whatever they hold for pods that are not ours any more (CNI GC). */
export async function collectNetworkGarbage(deps: PodDeps): Promise<void> {
  const attached = (): { containerId: string; ifName: string }[] => deps.effects.owners().map((containerId) => ({ containerId, ifName: podInterface }));
  await deps.cni.gc(attached).catch((error: unknown) => deps.log.warn('collect garbage of the network', { error: messageOf(error) }));
}
