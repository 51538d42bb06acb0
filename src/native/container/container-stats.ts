import { matchesLabels } from '../../base/label-selector.ts';
import type { ContainerStats, ContainerStatsFilter, FilesystemUsage } from '../../gen/cri.ts';
import type { CgroupStats } from '../../part/cgroup/cgroup-stats.ts';
import type { MeasuredCgroup } from '../../part/cgroup/cgroups.ts';
import { accountedCgroup } from './accounted-cgroup.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateWord } from './container-state.ts';
import { cpuUsage, ioUsage, memoryUsage, swapUsage } from '../../part/cgroup/cri-usage.ts';
import { mapInSlices } from './map-in-slices.ts';
import { usageOfChanges } from './writable-usage.ts';

/** What the container uses now. One that does not run has only its writable layer left to count. */
export async function containerStats(deps: ContainerDeps, record: ContainerRecord): Promise<ContainerStats> {
  const measured = stateWord(record) === 'running' ? await measure(deps, record) : undefined;
  const stats = measured?.stats;
  return {
    attributes: { id: record.id, metadata: record.config.metadata, labels: record.config.labels, annotations: record.config.annotations },
    cpu: stats === undefined ? undefined : cpuUsage(stats, measured?.nanoCores),
    memory: stats === undefined ? undefined : memoryUsage(stats),
    writableLayer: writableLayer(deps, record),
    swap: stats === undefined ? undefined : swapUsage(stats),
    io: stats === undefined ? undefined : ioUsage(stats),
  };
}

/**
 * In a sandbox the kernel sees no containers, only the sandbox: CPU time is what the sandbox says of each of them, and the rest is
 * known only of a container that has the sandbox to itself.
 */
async function measure({ cgroups, handlers, ...deps }: ContainerDeps, record: ContainerRecord): Promise<MeasuredCgroup | undefined> {
  const runtime = handlers.find(record.handler);
  if (runtime?.sandbox === undefined) return cgroups.measure(record.cgroup);
  const whole = cgroups.measure(accountedCgroup({ cgroups, handlers, ...deps }, record));
  const usageNs = await runtime.cpuTimeInSandbox(record.id);
  const neighbours = deps.records.all().some((other) => other.podId === record.podId && other.id !== record.id && stateWord(other) === 'running');
  const at = BigInt(Date.now()) * 1_000_000n;
  const rest: CgroupStats = whole !== undefined && !neighbours ? whole.stats : unknownUsage;
  return { stats: { ...rest, at, cpu: usageNs === undefined ? undefined : { ...onlyCpuTime, usageNs } }, nanoCores: usageNs === undefined ? undefined : cgroups.nanoCores(record.cgroup, at, usageNs) };
}

const onlyCpuTime = { userNs: undefined, systemNs: undefined, periods: undefined, throttledPeriods: undefined, throttledNs: undefined };
const unknownUsage: CgroupStats = { at: 0n, cpu: undefined, memory: undefined, swap: undefined, pids: undefined, io: undefined, pressure: { cpu: undefined, memory: undefined, io: undefined } };

/** The stats of all running containers that match; ids match by prefix. */
export async function listContainerStats(deps: ContainerDeps, filter: ContainerStatsFilter | undefined): Promise<ContainerStats[]> {
  const asked = deps.records.all()
    .filter((record) => stateWord(record) === 'running')
    .filter((record) => record.id.startsWith(filter?.id ?? '') && record.podId.startsWith(filter?.podSandboxId ?? ''))
    .filter((record) => matchesLabels(record.config.labels, filter?.labelSelector));
  return await Promise.all(await mapInSlices(asked, (record) => containerStats(deps, record)));
}

function writableLayer(deps: ContainerDeps, record: ContainerRecord): FilesystemUsage {
  const usage = usageOfChanges(deps, record);
  return {
    timestamp: usage?.at ?? BigInt(Date.now()) * 1_000_000n,
    fsId: { mountpoint: deps.roots.root },
    usedBytes: { value: usage?.bytes ?? 0n },
    inodesUsed: { value: usage?.inodes ?? 0n },
  };
}
