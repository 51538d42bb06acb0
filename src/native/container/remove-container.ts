import type { CallContext } from '../../engine/engine.ts';
import type { ContainerDeps } from './container-deps.ts';
import { duringOnce } from './during-once.ts';
import { killContainer } from './stop-container.ts';

/** Removes a container in any state, killing it first. The record goes last: whatever fails before can be tried again. */
export async function removeContainer(deps: ContainerDeps, id: string, ctx: Pick<CallContext, 'stages'>): Promise<void> {
  const record = deps.records.get(id);
  if (record === undefined) return;
  try {
    if (record.exit === undefined) await ctx.stages.run('kill', () => killContainer(deps, record));
    await ctx.stages.run('undo', () => deps.locks.run(id, () => deps.effects.undo(id)));
  } catch (error) {
    throw duringOnce(error, { act: 'remove container', object: record.config.metadata?.name ?? id });
  }
  deps.usage.forget(id);
  deps.killedByUs.delete(id);
  deps.records.delete(id);
}
