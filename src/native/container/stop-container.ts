import { failure, messageOf } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import { readExit } from '../../part/oci/exit-watch.ts';
import { processAlive } from '../../part/oci/process-ref.ts';
import { signalNumber } from '../../part/spec/effective-stop-signal.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { lostExit, recordExit } from './record-exit.ts';

/** How long a killed process may take to be gone; longer means that the kernel holds it (uninterruptible I/O). */
const killPatienceMs = 30_000;

/** How long conmon may take to report the end of a process that is gone; longer means that conmon is gone too. */
const monitorPatienceMs = 2_000;

/** setTimeout takes no more; a longer grace is a number that nobody meant. */
const maxGraceMs = 2_000_000_000;

const SIGKILL = 9;

/**
 * Stop signal, grace, SIGKILL. Callable again while a stop is under way: the shorter grace counts. A created container is
 * killed at once: it has no process of the user's that could clean up.
 */
export async function stopContainer(deps: ContainerDeps, record: ContainerRecord, timeoutSeconds: number, ctx: Pick<CallContext, 'stages' | 'signal'>): Promise<void> {
  if (record.exit !== undefined) return;
  await deps.checkpoints.end(record.id);
  const graceMs = Math.min(Math.max(0, timeoutSeconds) * 1000, maxGraceMs);
  if (graceMs > 0 && record.startedAt !== undefined) {
    await ctx.stages.run('signal', () => signalContainer(deps, record, signalNumber(record.stopSignal)));
    const ended = await ctx.stages.run('grace', () => waitForExit(deps, record, graceMs, ctx.signal));
    if (ended) return;
    if (ctx.signal.aborted) throw failure('cancelled', { act: 'stop container', object: record.id, why: 'the caller went away within the grace period' });
  }
  await ctx.stages.run('kill', () => killContainer(deps, record));
}

/**
 * SIGKILL, and the wait until it is gone: deadline-exceeded when the kernel does not let go of it, failed-precondition when a cgroup
 * above it is frozen; either way it ends as soon as it can, and its end is noted then. Where the runtime's word has no effect (it
 * lost its record, or the container is frozen), the cgroup is emptied instead.
 */
export async function killContainer(deps: ContainerDeps, record: ContainerRecord): Promise<void> {
  await deps.checkpoints.end(record.id);
  if (record.restore !== undefined) return await endUnrestored(deps, record);
  deps.killedByUs.add(record.id);
  await signalContainer(deps, record, SIGKILL);
  if (await waitForEnd(deps, record, monitorPatienceMs)) return;
  const frozen = deps.cgroups.frozenAbove(record.cgroup);
  if (frozen !== undefined) throw failure('failed-precondition', { act: 'stop container', object: record.id, why: `cgroup ${frozen} is frozen, and its process ${record.process.pid} with it: it has been sent SIGKILL and ends when that cgroup is thawed` });
  await deps.cgroups.kill(record.cgroup).catch((error: unknown) => deps.log.warn('kill container by its cgroup', { container: record.id, error: messageOf(error) }));
  if (await waitForEnd(deps, record, killPatienceMs)) return;
  throw failure('deadline-exceeded', { act: 'stop container', object: record.id, why: `its process ${record.process.pid} is still there ${killPatienceMs / 1000} s after SIGKILL: see /proc/${record.process.pid}/stack for what the kernel waits for` });
}

/** A container that was to be restored has no process: it has ended when that is on record. A restore that is under way is undone with it. */
async function endUnrestored(deps: ContainerDeps, record: ContainerRecord): Promise<void> {
  deps.killedByUs.add(record.id);
  await recordExit(deps, record.id, { code: 128 + SIGKILL, at: BigInt(Date.now()) * 1_000_000n, monitorLost: false });
}

/** As waitForExit; in the end looks for itself, and records an end that nobody reported. */
async function waitForEnd(deps: ContainerDeps, record: ContainerRecord, timeoutMs: number): Promise<boolean> {
  if (await waitForExit(deps, record, timeoutMs)) return true;
  deps.exitWatch.check(record.id);
  if (isAlive(deps, record)) return false;
  await recordExit(deps, record.id, readExit(deps.exitDir, record.id) ?? lostExit());
  return true;
}

function isAlive(deps: ContainerDeps, record: ContainerRecord): boolean {
  return record.bootId === deps.bootId && processAlive(record.process);
}

/**
 * Through the runtime, which knows best what a container's first process is. One that cannot (its program is gone, its handler is
 * not configured any more) must not keep the container alive: then the process gets the signal from us.
 */
async function signalContainer(deps: ContainerDeps, record: ContainerRecord, signal: number): Promise<void> {
  try {
    await deps.handlers.of(record.handler).kill(record.id, String(signal));
  } catch (error) {
    deps.log.warn('the runtime cannot signal the container, its process is signalled directly', { container: record.id, signal, error: messageOf(error) });
    if (isAlive(deps, record)) process.kill(record.process.pid, signal);
  }
}

async function waitForExit(deps: ContainerDeps, { id }: ContainerRecord, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  const ended = (): boolean => {
    const record = deps.records.get(id);
    return record === undefined || record.exit !== undefined;
  };
  if (ended()) return true;
  await deps.exits.wait(id, timeoutMs, signal);
  return ended();
}
