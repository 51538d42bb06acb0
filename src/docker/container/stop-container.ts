import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isKind } from '../../base/errors.ts';
import { findByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { DockerDeps } from '../docker-deps.ts';

/** How long the Engine may take beyond the grace: a process stuck in the kernel cannot be killed at all. */
const killMs = 60_000;
/** The longest grace that is passed on; longer is as good as for ever. */
const longestGraceSeconds = 2_000_000;

/** Stop signal, grace, SIGKILL, by the Engine. Exited or unknown: success. */
export async function stopContainer(deps: DockerDeps, id: string, timeoutSeconds: number, ctx: CallContext): Promise<void> {
  const record = findByIdPrefix(deps.mirror.containers, id, 'container');
  if (record === undefined || record.exit !== undefined) return;
  await ctx.stages.run('grace', () => end(deps, record.id, Math.min(Math.max(0, timeoutSeconds), longestGraceSeconds)));
}

/** Ends a container at once. One that does not run, or is not there: success. */
export async function killContainer(deps: DockerDeps, { id }: { readonly id: string }): Promise<void> {
  await end(deps, id, 0);
}

async function end(deps: DockerDeps, id: string, graceSeconds: number): Promise<void> {
  const act = { act: 'stop container', object: id };
  try {
    // Without grace the stop signal would only cost a moment; the Engine has no answer for one that does not run but an error.
    if (graceSeconds === 0) await deps.api.call({ act, method: 'POST', path: `/containers/${id}/kill`, query: { signal: 'SIGKILL' } });
    else await deps.api.call({ act, method: 'POST', path: `/containers/${id}/stop`, query: { t: graceSeconds }, deadlineMs: graceSeconds * 1000 + killMs });
  } catch (error) {
    if (!isKind(error, 'not-found') && !isKind(error, 'failed-precondition')) throw error;
  }
  await hasEnded(deps, id);
}

/** Waits until the Engine itself says that it does not run: after a kill that takes a moment. */
async function hasEnded(deps: DockerDeps, id: string): Promise<void> {
  for (const until = performance.now() + killMs; performance.now() < until; await sleep(20)) {
    const record = await deps.mirror.refresh(id);
    if (record === undefined || !['running', 'paused', 'restarting', 'removing'].includes(record.engine.State.Status)) return;
  }
  throw failure('deadline-exceeded', { act: 'stop container', object: id, why: `it still runs ${killMs / 1000} s after SIGKILL: a process of it is stuck in the kernel` });
}
