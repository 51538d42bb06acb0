import { messageOf } from '../../base/errors.ts';
import type { Arrear } from '../../part/store/debts.ts';
import type { PodDeps } from './pod-deps.ts';
import type { PodRecord } from './pod-record.ts';
import { removeHalfRestored } from './restore-pod.ts';
import { containersDebt, endStopped, takenByStop } from './stop-pod.ts';
import { podInterface } from '../../part/cni/pod-attachment.ts';

/**
 * What is still to be undone, newest first: for pods that do not exist (cut short by a crash, or not undone completely at the first
 * try); what a stop has to take away and could not; the same for pods that a reboot has ended and nobody has stopped; and pods that are
 * half restored.
 */
export function* podArrears(deps: PodDeps): Generator<Arrear> {
  const pending = deps.effects.pending();
  for (const owner of pending.keys()) {
    if (deps.records.get(owner) !== undefined || deps.making.has(owner)) continue;
    yield { owner, pay: () => deps.effects.undo(owner) };
  }
  for (const record of deps.records.all()) {
    if (record.restoring === true && !deps.restoring.has(record.id) && !deps.removing.has(record.id)) {
      yield { owner: record.id, pay: () => removeHalfRestored(deps, record.id) };
      continue;
    }
    if (!isOver(deps, record) || deps.stopping.has(record.id) || deps.removing.has(record.id)) continue;
    const kinds = pending.get(record.id);
    const isOpen = takenByStop.some((kind) => kinds?.has(kind)) || deps.containers.lives(record.id) || deps.debts.has(containersDebt(record.id));
    if (isOpen) yield { owner: record.id, pay: () => deps.stopping.run(record.id, () => endStopped(deps, record.id)) };
  }
}

function isOver(deps: PodDeps, { stopped, bootId }: PodRecord): boolean {
  return stopped || bootId !== deps.bootId;
}

/** Lets the network plugins drop whatever they hold for pods that are not ours any more (CNI GC). */
export async function collectNetworkGarbage(deps: PodDeps): Promise<void> {
  const attached = (): { containerId: string; ifName: string }[] => deps.effects.owners().map((containerId) => ({ containerId, ifName: podInterface }));
  await deps.cni.gc(attached).catch((error: unknown) => deps.log.warn('collect garbage of the network', { error: messageOf(error) }));
}
