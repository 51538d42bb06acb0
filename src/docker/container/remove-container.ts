import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isKind } from '../../base/errors.ts';
import { findByIdPrefix } from '../../base/object-id.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { killContainer } from './stop-container.ts';

/** The Engine lets storage drivers take their time. */
const removalMs = 120_000;

/** Kills if need be, waits until the log has all that was written, and removes. Unknown: success. */
export async function removeContainer(deps: DockerDeps, id: string): Promise<void> {
  const record = findByIdPrefix(deps.mirror.containers, id, 'container');
  if (record === undefined) return;
  await deps.removing.run(record.id, () => removeFromEngine(deps, record));
}

/** Removes one of our containers with the volumes that only it has. Gone already: success. */
export async function removeFromEngine(deps: DockerDeps, { id }: { readonly id: string }): Promise<void> {
  await killContainer(deps, { id });
  await deps.logs.finish(id);
  const act = { act: 'remove container', object: id };
  try {
    await deps.api.call({ act, method: 'DELETE', path: `/containers/${id}`, query: { force: true, v: true }, deadlineMs: removalMs });
  } catch (error) {
    // A conflict is a removal that somebody else began.
    if (!isKind(error, 'not-found') && !isKind(error, 'failed-precondition')) throw error;
  }
  for (const until = performance.now() + removalMs; (await deps.mirror.refresh(id)) !== undefined; await sleep(20)) {
    if (performance.now() > until) throw failure('deadline-exceeded', { ...act, why: `the Docker Engine has not removed it after ${removalMs / 1000} s` });
  }
  deps.usage.forget(id);
}
