import { during } from '../../base/errors.ts';
import { findByIdPrefix } from '../../base/object-id.ts';
import { Stages } from '../../base/stages.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { PodDeps } from './pod-deps.ts';
import type { PodRecord } from './pod-record.ts';
import { podName } from '../../part/spec/pod-config.ts';

/** What a stopped pod no longer needs. Its directory and namespaces stay for a look, until it is removed. */
export const takenByStop: readonly string[] = ['infra', 'network'];

/**
 * Stops a pod. First it is marked, so that no container can be made in it from here on; then its containers are killed, all
 * at once (the kubelet has given each its grace already); then its network goes. An unknown pod is success. What cannot be
 * ended now is told, and tried again in the background.
 */
export async function stopPod(deps: PodDeps, id: string, ctx: CallContext): Promise<void> {
  const record = findByIdPrefix(deps.records, id, 'pod');
  if (record === undefined) return;
  await deps.stopping.run(record.id, () => stop(deps, record.id, ctx));
}

async function stop(deps: PodDeps, id: string, ctx: CallContext): Promise<void> {
  const record = markStopped(deps, id);
  if (record === undefined) return;
  try {
    await endStopped(deps, id, ctx.stages);
  } catch (error) {
    throw during(error, { act: 'stop pod', object: podName(record.config) });
  }
}

/**
 * The work of a stop, for a pod that takes no new containers. What fails does not keep the rest from being done; it is a debt, and
 * the first failure is thrown at the end. May be repeated, one at a time.
 */
export async function endStopped(deps: PodDeps, id: string, stages: Stages = new Stages()): Promise<void> {
  const debt = containersDebt(id);
  const [killed] = await Promise.allSettled([stages.run('containers', () => deps.containers.killAllOf(id))]);
  if (killed.status === 'rejected') deps.debts.owed(debt, { owner: id, what: 'container' }, killed.reason);
  else deps.debts.paid(debt);
  await stages.run('network', () => deps.effects.undo(id, takenByStop));
  if (killed.status === 'rejected') throw killed.reason;
}

/** The key of the debt of a stopped pod whose containers do not end. */
export function containersDebt(podId: string): string {
  return `containers of ${podId}`;
}

function markStopped(deps: PodDeps, id: string): PodRecord | undefined {
  const record = deps.records.get(id);
  if (record !== undefined && !record.stopped) deps.records.put(id, { ...record, stopped: true });
  return deps.records.get(id);
}
