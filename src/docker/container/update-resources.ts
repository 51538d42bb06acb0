import { failure, isKind, messageOf } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import type { CallContext, ResourceChange } from '../../engine/engine.ts';
import { checkEach, checkSwap } from '../../part/spec/check-resources.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { cgroupOf } from '../records.ts';
import { containerRefusals, refuse } from '../refusals.ts';
import { criResources, engineResources } from './engine-resources.ts';

/**
 * Changes the limits that the request names (zero and empty mean "as it is"), all or none: the Engine puts back what it had changed when the
 * runtime refuses. Errors: invalid-argument names the field; failed-precondition for a container that has ended, for what the Engine cannot
 * change, and for a memory limit that could be kept only by killing.
 */
export async function updateContainerResources(deps: DockerDeps, id: string, { linux: asked }: ResourceChange, ctx: CallContext): Promise<void> {
  checkEach(asked, 'linux');
  const { id: fullId } = getByIdPrefix(deps.mirror.containers, id, 'container');
  const act = { act: 'update resources of container', object: fullId };
  await deps.locks.run(fullId, async () => {
    const record = getByIdPrefix(deps.mirror.containers, fullId, 'container');
    if (record.exit !== undefined) throw failure('failed-precondition', { ...act, why: 'it has exited' });
    const before = criResources(record.engine.HostConfig, record.config.linux?.resources);
    const memory = asked.memoryLimitInBytes === 0n ? before.memoryLimitInBytes : asked.memoryLimitInBytes;
    const swap = asked.memorySwapLimitInBytes === 0n ? before.memorySwapLimitInBytes : asked.memorySwapLimitInBytes;
    checkSwap({ ...asked, memoryLimitInBytes: memory, memorySwapLimitInBytes: swap }, 'linux');
    if (asked.oomScoreAdj !== 0n && asked.oomScoreAdj !== before.oomScoreAdj) throw failure('failed-precondition', { ...act, why: 'linux.oom_score_adj: the Docker Engine cannot change it; engine = "native" can' });
    refuse(containerRefusals.filter(({ field }) => field.endsWith('.unified')), { ...record.config, linux: { securityContext: undefined, resources: asked } }, await deps.api.version());
    await refuseLimitBelowUse(deps, { cgroup: cgroupOf(record, await deps.cgroupDriver()), wanted: asked.memoryLimitInBytes, act });
    const body = engineResources(asked.memoryLimitInBytes === 0n ? asked : { ...asked, memorySwapLimitInBytes: swap });
    try {
      if (Object.keys(body).length > 0) await ctx.stages.run('runtime update', () => deps.api.call({ act, method: 'POST', path: `/containers/${fullId}/update`, json: body }));
    } catch (error) {
      throw isKind(error, 'internal') ? failure('failed-precondition', { ...act, why: error.why ?? messageOf(error), cause: error }) : error;
    } finally {
      await deps.mirror.refresh(fullId);
    }
  });
}

/** A smaller limit makes the kernel reclaim and, on cgroup v2, kill when that is not enough. Who asks for less memory did not ask for that. */
async function refuseLimitBelowUse(deps: DockerDeps, { cgroup, wanted, act }: { cgroup: string; wanted: bigint; act: { act: string; object: string } }): Promise<void> {
  const inUse = wanted > 0n ? (await deps.cgroups()).unreclaimable(cgroup) : undefined;
  if (inUse === undefined || inUse <= wanted) return;
  throw failure('failed-precondition', { ...act, why: `linux.memory_limit_in_bytes, ${wanted}, is less than the ${inUse} bytes in use that the kernel cannot reclaim: processes would be killed; make the container use less first, or restart it with this limit` });
}
