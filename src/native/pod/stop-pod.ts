import { during } from '../../base/errors.ts';
import { findByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { PodDeps } from './pod-deps.ts';
import { podName } from './pod-record.ts';
import type { PodRecord } from './pod-record.ts';

/** What a stopped pod no longer needs. Its directory and namespaces stay for a look, until it is removed. */
export const takenByStop: readonly string[] = ['infra', 'network'];

/**
 * Stops a pod. First it is marked, so that no container can be made in it from here on; then its containers are killed, all
 * at once (the kubelet has given each its grace already); then its network goes. An unknown pod is success.
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
    await ctx.stages.run('containers', () => deps.containers.killAllOf(id));
    await ctx.stages.run('network', () => deps.effects.undo(id, takenByStop));
  } catch (error) {
    throw during(error, { act: 'stop pod', object: podName(record.config) });
  }
}

function markStopped(deps: PodDeps, id: string): PodRecord | undefined {
  const record = deps.records.get(id);
  if (record !== undefined && !record.stopped) deps.records.put(id, { ...record, stopped: true });
  return deps.records.get(id);
}
