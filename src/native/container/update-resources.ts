import { failure, kindOf, messageOf } from '../../base/errors.ts';
import type { CallContext, ResourceChange } from '../../engine/engine.ts';
import type { LinuxContainerResources } from '../../gen/cri.ts';
import { readOomScore, writeOomScore } from '../../host/oom-score.ts';
import type { SavedLimit } from '../../part/cgroup/cgroup-limits.ts';
import { processAlive } from '../../part/oci/process-ref.ts';
import { checkMinMemory } from '../../part/spec/check-min-memory.ts';
import { checkEach, checkSwap } from '../../part/spec/check-resources.ts';
import { encodeSpec } from '../../part/spec/encode-spec.ts';
import { changedResources, resourcesInForce, resourcesToTell, resourcesToTellBack } from '../../part/spec/resource-change.ts';
import { possibleOomScore } from '../../part/spec/with-oom-score.ts';
import { ociResources } from '../../part/spec/with-resources.ts';
import type { ContainerDeps } from './container-deps.ts';
import { resourcesOf } from './container-record.ts';
import type { ContainerRecord } from './container-record.ts';
import { updateRecord } from './update-record.ts';

const act = 'update resources of container';

/**
 * Changes the limits that the request names (zero and empty mean "as it is"), all or none: what fails halfway is taken back. They go on
 * record, so that the status echoes them. Changes of one container come one after the other, and the same one again
 * gives the same. Errors: invalid-argument names the field; failed-precondition for a container that has ended, and for a memory limit
 * that could be kept only by killing.
 */
export async function updateContainerResources(deps: ContainerDeps, id: string, change: ResourceChange, ctx: CallContext): Promise<void> {
  checkEach(change.linux, 'linux');
  await deps.locks.run(id, () => ctx.stages.run('runtime update', () => update(deps, id, change)));
}

async function update(deps: ContainerDeps, id: string, { linux: asked, annotations }: ResourceChange): Promise<void> {
  const record = deps.records.get(id);
  if (record === undefined) throw failure('not-found', { act, object: id, why: 'it was removed meanwhile' });
  if (record.exit !== undefined) throw ended(id);
  if (record.restore !== undefined) throw failure('failed-precondition', { act, object: id, why: 'it has no cgroup before it is restored: start it first' });
  const after = changedResources(resourcesOf(record), asked);
  checkSwap(after, 'linux');
  checkMinMemory(asked, deps.defaults().handlers.get(record.handler)?.minMemory ?? 0, 'linux');
  refuseLimitBelowUse(deps, record, asked.memoryLimitInBytes);
  const saved = deps.cgroups.saveLimits(record.cgroup, Object.keys(asked.unified));
  try {
    await limit(deps, record, resourcesToTell(after, asked));
    const oomScoreAdj = asked.oomScoreAdj === 0n ? after.oomScoreAdj : setOomScore(deps, record, asked.oomScoreAdj);
    updateRecord(deps, id, {
      resources: { ...resourcesInForce(after, deps.hostFacts, deps.defaults().container), oomScoreAdj },
      resourceAnnotations: { ...record.resourceAnnotations, ...annotations },
    });
  } catch (error) {
    if (!processAlive(record.process)) throw ended(id);
    throw await takenBack(deps, record, { asked, saved, error });
  }
}

function ended(id: string): Error {
  return failure('failed-precondition', { act, object: id, why: 'it has exited' });
}

/** What the runtimes can't change is changed by us: runc knows no huge pages here, crun on cgroup v1 no lack of a quota. */
async function limit(deps: ContainerDeps, record: ContainerRecord, resources: LinuxContainerResources): Promise<void> {
  const { hugepageLimits = [], ...limits } = ociResources(resources, deps.hostFacts, 'linux');
  if (Object.keys(limits).length > 0) await deps.handlers.of(record.handler).update(record.id, encodeSpec(limits));
  if (resources.cpuQuota === -1n) deps.cgroups.dropQuotaV1(record.cgroup);
  for (const hugepages of hugepageLimits) deps.cgroups.limitHugepages(record.cgroup, hugepages);
}

/**
 * A smaller limit makes the kernel reclaim and, on cgroup v2, kill when that is not enough. Who asks for less memory did
 * not ask for that.
 */
function refuseLimitBelowUse(deps: ContainerDeps, record: ContainerRecord, wanted: bigint): void {
  const inUse = wanted > 0n ? deps.cgroups.unreclaimable(record.cgroup) : undefined;
  if (inUse === undefined || inUse <= wanted) return;
  throw failure('failed-precondition', {
    act,
    object: record.id,
    why: `linux.memory_limit_in_bytes, ${wanted}, is less than the ${inUse} bytes in use that the kernel cannot reclaim: processes would be killed; make the container use less first, or restart it with this limit`,
  });
}

/**
 * Sets oom_score_adj of all processes but those that chose another one for themselves. Returns what is in force: where this node does
 * not permit lowering it (no CAP_SYS_RESOURCE), that is the old value.
 */
function setOomScore(deps: ContainerDeps, record: ContainerRecord, asked: bigint): bigint {
  const score = possibleOomScore(Number(asked), deps.hostFacts, deps.defaults().container);
  const first = record.process.pid;
  const before = readOomScore(first);
  for (const pid of new Set([...deps.cgroups.pids(record.cgroup), first])) {
    if (readOomScore(pid) !== before || writeOomScore(pid, score)) continue;
    deps.log.warn('oom_score_adj is not lowered: gantry has no CAP_SYS_RESOURCE', { container: record.id, pid, asked: score });
    break;
  }
  return BigInt(readOomScore(first) ?? score);
}

/**
 * The failure of a change, with the old limits in force again. systemd keeps limits of its own and would apply them again with its next
 * reload: there the runtime has to say them too, before the files get what they had to the letter.
 */
async function takenBack(deps: ContainerDeps, record: ContainerRecord, { asked, saved, error }: { asked: LinuxContainerResources; saved: readonly SavedLimit[]; error: unknown }): Promise<unknown> {
  if (deps.cgroups.driver === 'systemd') {
    const old = resourcesToTellBack(resourcesOf(record), asked);
    await limit(deps, record, old).catch((again: unknown) => deps.log.warn('tell systemd the old limits', { container: record.id, error: messageOf(again) }));
  }
  const differing = deps.cgroups.putBackLimits(saved);
  if (differing.length === 0) return error;
  deps.log.error('a failed update left limits changed', { container: record.id, files: differing });
  return failure(kindOf(error), { act, object: record.id, why: `${messageOf(error)}; and these could not be put back: ${differing.join(', ')}`, cause: error });
}
