import { messageOf } from '../../base/errors.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { lostExit, recordExit } from './record-exit.ts';
import { updateRecord } from './start-container.ts';
import { watchContainer } from './watch-container.ts';

/**
 * Takes up where the daemon before this one stopped: undoes containers that were never finished, notes the end of those that
 * died meanwhile, and watches the rest. One that cannot be recovered does not keep the others from it.
 */
export async function recoverContainers(deps: ContainerDeps): Promise<void> {
  await undoUnfinishedContainers(deps);
  await Promise.all(deps.records.all().filter((record) => record.exit === undefined).map(async (record) => {
    await recoverContainer(deps, record).catch((error: unknown) => deps.log.error('recover container', { container: record.id, error: messageOf(error) }));
  }));
}

/** Undoes what is on the ledger for containers that do not exist: cut short by a crash, or not undone completely at the first try. */
export async function undoUnfinishedContainers(deps: ContainerDeps): Promise<void> {
  for (const owner of deps.effects.owners()) {
    if (deps.records.get(owner) !== undefined || deps.making.has(owner)) continue;
    deps.log.info('undo what is left of an unfinished container', { container: owner });
    await deps.effects.rollback(owner);
  }
}

async function recoverContainer(deps: ContainerDeps, record: ContainerRecord): Promise<void> {
  if (record.bootId !== deps.bootId) return await recordExit(deps, record.id, lostExit());
  // The daemon may have been killed between the runtime's start and our note of it.
  if (record.startedAt === undefined && await startedUnnoticed(deps, record)) updateRecord(deps, record.id, { startedAt: record.createdAt });
  watchContainer(deps, record);
  deps.exitWatch.check(record.id);
}

async function startedUnnoticed(deps: ContainerDeps, record: ContainerRecord): Promise<boolean> {
  const state = await deps.handlers.get(record.handler).state(record.id);
  return state?.status === 'running' || state?.status === 'paused';
}
