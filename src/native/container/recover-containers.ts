import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { someAtOnce } from '../../base/some-at-once.ts';
import { readExit } from '../../part/oci/exit-watch.ts';
import { conmonOf } from '../../part/oci/conmon.ts';
import { processRef } from '../../part/oci/process-ref.ts';
import type { Arrear } from '../../part/store/debts.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { endOrphanedExecs } from './end-orphaned-execs.ts';
import { lostExit, noteExit } from './record-exit.ts';
import { isRunning } from './start-container.ts';
import { updateRecord } from './update-record.ts';
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
    return record === undefined ? !deps.making.has(owner) && !deps.checkpoints.has(owner) : record.exit !== undefined && kinds.has('runtime') && !deps.removing.has(owner);
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
  if (record.restore !== undefined) return await recoverUnrestored(deps, record);
  // The daemon may have been killed between the runtime's start and our note of it.
  if (record.startedAt === undefined && await isRunning(deps, record).catch((error: unknown) => unasked(deps, record, error))) updateRecord(deps, record.id, { startedAt: record.createdAt });
  watchContainer(deps, record);
  deps.exitWatch.check(record.id);
  await endOrphanedExecs(deps, record);
}

/** The daemon may have been killed between the restore and our note of it; a restore that was cut short is undone, and can be tried again. */
async function recoverUnrestored(deps: ContainerDeps, record: ContainerRecord): Promise<void> {
  const { bundle } = containerPaths(deps.roots, record.id);
  const state = await deps.handlers.of(record.handler).state(record.id).catch(() => undefined);
  const [process, monitor] = [state?.pid === undefined ? undefined : processRef(state.pid), conmonOf(bundle)];
  if (process === undefined || monitor === undefined) return await deps.effects.undo(record.id, ['runtime']);
  const running = updateRecord(deps, record.id, { process, monitor, restore: undefined, startedAt: BigInt(Date.now()) * 1_000_000n });
  if (running !== undefined) watchContainer(deps, running);
  await deps.effects.undo(record.id, ['checkpoint-images']);
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
