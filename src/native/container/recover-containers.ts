import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { someAtOnce } from '../../base/some-at-once.ts';
import { readExit } from '../../part/oci/exit-watch.ts';
import type { Arrear } from '../../part/store/debts.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { endOrphanedExecs } from './end-orphaned-execs.ts';
import { lostExit, noteExit } from './record-exit.ts';
import { isRunning, updateRecord } from './start-container.ts';
import { watchContainer } from './watch-container.ts';

/**
 * Takes up where the daemon before this one stopped: notes the end of containers that died meanwhile and watches the rest. When it
 * resolves, every state is true. One that cannot be recovered does not keep the others from it.
 */
export async function recoverContainers(deps: ContainerDeps): Promise<void> {
  await someAtOnce(deps.records.all().filter((record) => record.exit === undefined), async (record) => {
    await recoverContainer(deps, record).catch((error: unknown) => deps.log.error('recover container', { container: record.id, error: messageOf(error) }));
  });
  forgetStrayExits(deps);
}

/**
 * What is still to be undone, newest first: for containers that do not exist (cut short by a crash, or not undone completely at the
 * first try), and what the runtime still holds of those that have ended.
 */
export function* containerArrears(deps: ContainerDeps): Generator<Arrear> {
  const isOpen = (owner: string, kinds: ReadonlySet<string>): boolean => {
    const record = deps.records.get(owner);
    return record === undefined ? !deps.making.has(owner) : record.exit !== undefined && kinds.has('runtime') && !deps.removing.has(owner);
  };
  for (const [owner, kinds] of deps.effects.pending()) {
    if (!isOpen(owner, kinds)) continue;
    yield {
      owner,
      pay: () => deps.locks.run(owner, () => deps.effects.undo(owner, deps.records.get(owner) === undefined ? undefined : ['runtime'])),
    };
  }
}

async function recoverContainer(deps: ContainerDeps, record: ContainerRecord): Promise<void> {
  if (record.bootId !== deps.bootId) return noteExit(deps, record, readExit(deps.exitDir, record.id) ?? lostExit());
  // The daemon may have been killed between the runtime's start and our note of it.
  if (record.startedAt === undefined && await isRunning(deps, record).catch((error: unknown) => unasked(deps, record, error))) updateRecord(deps, record.id, { startedAt: record.createdAt });
  watchContainer(deps, record);
  deps.exitWatch.check(record.id);
  await endOrphanedExecs(deps, record);
}

/** A runtime that cannot be asked does not keep the container from being watched. */
function unasked(deps: ContainerDeps, record: ContainerRecord, error: unknown): boolean {
  deps.log.error('recover container', { container: record.id, error: messageOf(error) });
  return false;
}

/** Exit files of containers that nobody knows or waits for: left where conmon outlived a creation that was cut short. */
function forgetStrayExits(deps: ContainerDeps): void {
  for (const name of readdirSync(deps.exitDir)) {
    const awaited = deps.records.all().some((record) => record.exit === undefined && name.includes(record.id));
    if (!awaited) rmSync(join(deps.exitDir, name), { force: true });
  }
}
