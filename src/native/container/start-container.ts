import { setTimeout as sleep } from 'node:timers/promises';
import { failure, GantryError, messageOf } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import { processAlive } from '../../part/oci/process-ref.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateWord } from './container-state.ts';
import { duringOnce } from './during-once.ts';
import { restoreInRuntime } from './restore-in-runtime.ts';
import { updateRecord } from './update-record.ts';

/**
 * CREATED to RUNNING; one that is RUNNING was started by this very call before. Any other state is failed-precondition; a runtime that cannot
 * start it leaves it CREATED or EXITED, as it is. One that was started by a call which then failed (the runtime did it but came back late,
 * or its start could not be recorded) is RUNNING after the next.
 */
export async function startContainer(deps: ContainerDeps, id: string, ctx: CallContext): Promise<void> {
  const record = deps.records.get(id);
  if (record === undefined) throw failure('not-found', { act: 'start container', object: id, why: 'it was removed meanwhile' });
  const state = stateWord(record);
  // Only a start makes a container run, so this is its repetition: by a kubelet that did not get the first one's answer.
  if (state === 'running') return;
  if (state !== 'created') throw failure('failed-precondition', { act: 'start container', object: id, why: `it is ${state}, and only a created one can be started` });
  // Taken before the process runs: a container that ends at once must not have ended before it started.
  const now = BigInt(Date.now()) * 1_000_000n;
  try {
    if (record.restore === undefined) await ctx.stages.run('runtime start', () => startInRuntime(deps, record));
    else await ctx.stages.run('restore', () => restoreInRuntime(deps, record, record.restore!.folder));
  } catch (error) {
    throw duringOnce(error, { act: 'start container', object: record.config.metadata?.name ?? id });
  }
  // It may have ended while we waited, so the record is read again.
  const end = deps.records.get(id)?.exit?.at;
  const startedAt = end !== undefined && end < now ? end : now;
  updateRecord(deps, id, { startedAt: startedAt > record.createdAt ? startedAt : record.createdAt });
}

/** How long the runtime may take to return once the container has ended. */
const afterEndMs = 1000;

/** The wait is over when the runtime returns, which has a deadline of its own. */
const longestMs = 2_000_000_000;

/** A container that is killed while it is being started can leave the runtime waiting for a process that is gone. */
async function startInRuntime(deps: ContainerDeps, { id, handler, process }: ContainerRecord): Promise<void> {
  const [returned, giveUp] = [new AbortController(), new AbortController()];
  const giveUpAfterEnd = async (): Promise<void> => {
    if (!(await deps.exits.wait(id, longestMs, returned.signal))) return;
    await sleep(afterEndMs, undefined, { ref: false });
    giveUp.abort();
  };
  void giveUpAfterEnd();
  try {
    await deps.handlers.of(handler).start(id, giveUp.signal);
  } catch (error) {
    if (processAlive(process)) {
      if (await isRunning(deps, { id, handler }).catch(() => false)) return;
      throw error;
    }
    // What the runtime says then is of little use: crun dies of SIGPIPE, or was ended by us.
    throw failure('failed-precondition', { act: 'start container', object: id, why: `it ended while it was being started (${wordsOf(error)})`, cause: error });
  } finally {
    returned.abort();
  }
}

/** What the runtime says of it, whatever we noted. */
export async function isRunning(deps: ContainerDeps, { id, handler }: Pick<ContainerRecord, 'id' | 'handler'>): Promise<boolean> {
  const state = await deps.handlers.of(handler).state(id);
  return state?.status === 'running' || state?.status === 'paused';
}

function wordsOf(error: unknown): string {
  return error instanceof GantryError && error.why !== undefined ? error.why : messageOf(error);
}
