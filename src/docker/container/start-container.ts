import { failure, isKind, messageOf } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import { ContainerState } from '../../gen/cri.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { cgroupOf, stateWord } from '../records.ts';
import type { ContainerRecord } from '../records.ts';

/** The Engine starts a process behind a queue of others. */
const startMs = 240_000;

/** CREATED to RUNNING; RUNNING already is the same call again. Another state, or a process that cannot be started: failed-precondition. */
export async function startContainer(deps: DockerDeps, id: string, ctx: CallContext): Promise<void> {
  const record = getByIdPrefix(deps.mirror.containers, id, 'container');
  await deps.starting.run(record.id, () => start(deps, record, ctx));
}

async function start(deps: DockerDeps, { id, config, state, ...rest }: ContainerRecord, ctx: CallContext): Promise<void> {
  if (state === ContainerState.CONTAINER_RUNNING) return;
  const act = { act: 'start container', object: id };
  if (state !== ContainerState.CONTAINER_CREATED) throw failure('failed-precondition', { ...act, why: `it is ${stateWord({ state })}, and only a created one can be started` });
  try {
    await ctx.stages.run('runtime start', () => deps.api.call({ act, method: 'POST', path: `/containers/${id}/start`, deadlineMs: startMs }));
  } catch (error) {
    throw isKind(error, 'invalid-argument') || isKind(error, 'internal') ? failure('failed-precondition', { ...act, why: error.why ?? messageOf(error), cause: error }) : error;
  } finally {
    await deps.mirror.refresh(id).catch((error: unknown) => deps.log.warn('read container after its start', { container: id, error: messageOf(error) }));
  }
  await limitHugepages(deps, { id, config, state, ...rest });
}

/** The Engine passes no huge page limits on, so the kernel is told. A container that has ended has none any more; a node without them keeps none. */
async function limitHugepages(deps: DockerDeps, record: ContainerRecord): Promise<void> {
  const limits = record.config.linux?.resources?.hugepageLimits ?? [];
  if (limits.length === 0 || !deps.hostFacts.hugetlb) return;
  const cgroups = await deps.cgroups();
  const cgroup = cgroupOf(record, await deps.cgroupDriver());
  for (const { pageSize, limit } of limits) {
    try {
      cgroups.limitHugepages(cgroup, { pageSize, limit });
    } catch (error) {
      if (deps.mirror.containers.get(record.id)?.exit !== undefined) return;
      deps.log.warn('huge pages are not limited', { container: record.id, pageSize, error: messageOf(error) });
    }
  }
}
