import { failure } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateWord } from './container-state.ts';
import { duringOnce } from './during-once.ts';

/** CREATED to RUNNING. Any other state is failed-precondition; a runtime that cannot start it leaves it CREATED or EXITED, as it is. */
export async function startContainer(deps: ContainerDeps, id: string, ctx: CallContext): Promise<void> {
  const record = deps.records.get(id);
  if (record === undefined) throw failure('not-found', { act: 'start container', object: id, why: 'it was removed meanwhile' });
  const state = stateWord(record);
  if (state !== 'created') throw failure('failed-precondition', { act: 'start container', object: id, why: `it is ${state}, and only a created one can be started` });
  // Taken before the process runs: a container that ends at once must not have ended before it started.
  const now = BigInt(Date.now()) * 1_000_000n;
  try {
    await ctx.stages.run('runtime start', () => deps.handlers.get(record.handler).start(id));
  } catch (error) {
    throw duringOnce(error, { act: 'start container', object: record.config.metadata?.name ?? id });
  }
  // It may have ended while we waited, so the record is read again.
  const end = deps.records.get(id)?.exit?.at;
  const startedAt = end !== undefined && end < now ? end : now;
  updateRecord(deps, id, { startedAt: startedAt > record.createdAt ? startedAt : record.createdAt });
}

/** Changes some facts of a record; one that was removed meanwhile stays removed. */
export function updateRecord(deps: Pick<ContainerDeps, 'records'>, id: string, facts: Partial<ContainerRecord>): ContainerRecord | undefined {
  const current = deps.records.get(id);
  if (current === undefined) return undefined;
  const next = { ...current, ...facts };
  deps.records.put(id, next);
  return next;
}
