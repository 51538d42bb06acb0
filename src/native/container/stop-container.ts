import { failure } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
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
  const graceMs = Math.min(Math.max(0, timeoutSeconds) * 1000, maxGraceMs);
  if (graceMs > 0 && record.startedAt !== undefined) {
    await ctx.stages.run('signal', () => signalContainer(deps, record, signalNumber(record.stopSignal)));
    const ended = await ctx.stages.run('grace', () => waitForExit(deps, record, graceMs, ctx.signal));
    if (ended) return;
    if (ctx.signal.aborted) throw failure('cancelled', { act: 'stop container', object: record.id, why: 'the caller went away within the grace period' });
  }
  await ctx.stages.run('kill', () => killContainer(deps, record));
}

/** SIGKILL, and the wait until it is gone: deadline-exceeded when the kernel does not let go of it. */
export async function killContainer(deps: ContainerDeps, record: ContainerRecord): Promise<void> {
  deps.killedByUs.add(record.id);
  await signalContainer(deps, record, SIGKILL);
  for (const patienceMs of [monitorPatienceMs, killPatienceMs]) {
    if (await waitForExit(deps, record, patienceMs)) return;
    deps.exitWatch.check(record.id);
    if (!isAlive(deps, record)) return recordExit(deps, record.id, lostExit());
  }
  throw failure('deadline-exceeded', { act: 'stop container', object: record.id, why: `its process ${record.process.pid} is still there ${killPatienceMs / 1000} s after SIGKILL: see /proc/${record.process.pid}/stack for what the kernel waits for` });
}

function isAlive(deps: ContainerDeps, record: ContainerRecord): boolean {
  return record.bootId === deps.bootId && processAlive(record.process);
}

/** An end between our look and the signal is no failure: the runtime says so, and waiting finds it. */
async function signalContainer(deps: ContainerDeps, record: ContainerRecord, signal: number): Promise<void> {
  await deps.handlers.get(record.handler).kill(record.id, String(signal));
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
