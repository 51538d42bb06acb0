import { during } from '../../base/errors.ts';
import { findByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { PodDeps } from './pod-deps.ts';
import { stopPod } from './stop-pod.ts';
import { podName } from '../../part/spec/pod-config.ts';

/** Removes a pod with its containers, stopping it first. The record goes last: whatever fails before can be tried again. */
export async function removePod(deps: PodDeps, id: string, ctx: CallContext): Promise<void> {
  const record = findByIdPrefix(deps.records, id, 'pod');
  if (record === undefined) return;
  await deps.removing.run(record.id, async () => {
    await stopPod(deps, record.id, ctx);
    try {
      await ctx.stages.run('remove containers', () => deps.containers.removeAllOf(record.id, ctx));
      await ctx.stages.run('undo', () => deps.effects.undo(record.id));
    } catch (error) {
      throw during(error, { act: 'remove pod', object: podName(record.config) });
    }
    deps.records.delete(record.id);
  });
}
