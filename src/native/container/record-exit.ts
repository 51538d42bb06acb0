import { kernelMessages } from '../../host/kernel-log.ts';
import { isOomVictim, wasOomKilled } from '../../part/oci/oom-killed.ts';
import { unknownExitCode } from '../../part/oci/exit-watch.ts';
import type { Exit } from '../../part/oci/exit-watch.ts';
import { accountedCgroup } from './accounted-cgroup.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerExit, ContainerRecord } from './container-record.ts';
import { updateRecord } from './update-record.ts';

const lostMessage = 'its exit code is not known: its monitor (conmon) was gone before it ended';
const rebootMessage = 'its exit code is not known: the node went down while it was there';

/** Notes a container's end and frees what the runtime still holds of it. The first end counts. */
export async function recordExit(deps: ContainerDeps, id: string, exit: Exit): Promise<void> {
  const record = deps.records.get(id);
  if (record === undefined || record.exit !== undefined) return;
  noteExit(deps, record, exit);
  await freeRuntime(deps, record);
}

/** Puts the end of a container that had none on record and tells who waits for it. */
export function noteExit(deps: ContainerDeps, record: ContainerRecord, exit: Exit): void {
  const { id } = record;
  const end = explain(deps, record, { ...exit, at: latest(exit.at, record.startedAt ?? record.createdAt) });
  updateRecord(deps, id, { exit: end });
  deps.exitWatch.forget(id);
  deps.killedByUs.delete(id);
  deps.log.info('container ended', { container: id, pod: record.podId, name: record.config.metadata?.name, exitCode: end.code, reason: end.reason });
  deps.exits.announce(id);
}

/** The end of a container that nobody watched: that it is over is certain, how it ended is not. */
export function lostExit(): Exit {
  return { code: unknownExitCode, at: BigInt(Date.now()) * 1_000_000n, monitorLost: true };
}

/** A file's time lags behind the clock by up to a tick, and clocks are set back: a container does not end before it began. */
function latest(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

/** The reasons are the words that the kubelet and people know from every other runtime. */
function explain(deps: ContainerDeps, record: ContainerRecord, exit: Exit): ContainerExit {
  if (exit.monitorLost) return { code: exit.code, at: exit.at, reason: 'Unknown', message: record.bootId === deps.bootId ? lostMessage : rebootMessage };
  const oomKilled = wasOomKilled({
    exitCode: exit.code,
    oomKills: deps.cgroups.oomKills(accountedCgroup(deps, record)),
    oomKillsAround: (deps.cgroups.oomKillsAround(record.cgroup) ?? 0) - (record.oomKillsAround ?? 0),
    bundle: containerPaths(deps.roots, record.id).bundle,
    inKernelLog: () => isOomVictim(kernelMessages(), record.id),
    killedByUs: deps.killedByUs.has(record.id),
  });
  const reason = oomKilled ? 'OOMKilled' : exit.code === 0 ? 'Completed' : 'Error';
  return { code: exit.code, at: exit.at, reason, message: '' };
}

/** A dead container needs neither its cgroup nor the runtime's record. What fails here is a debt. */
async function freeRuntime(deps: ContainerDeps, { id }: ContainerRecord): Promise<void> {
  await deps.locks.run(id, () => deps.effects.undo(id, ['runtime'])).catch(() => {});
}
