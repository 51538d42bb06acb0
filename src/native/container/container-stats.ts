import { matchesLabels } from '../../base/label-selector.ts';
import type { ContainerStats, ContainerStatsFilter, FilesystemUsage } from '../../gen/cri.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateWord } from './container-state.ts';
import { cpuUsage, ioUsage, memoryUsage, swapUsage } from './cri-usage.ts';
import { mapInSlices } from './map-in-slices.ts';
import { usageOfChanges } from './writable-usage.ts';

/** What the container uses now. One that does not run has only its writable layer left to count. */
export function containerStats(deps: ContainerDeps, record: ContainerRecord): ContainerStats {
  const measured = stateWord(record) === 'running' ? deps.cgroups.measure(record.cgroup) : undefined;
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

/** The stats of all running containers that match; ids match by prefix. */
export async function listContainerStats(deps: ContainerDeps, filter: ContainerStatsFilter | undefined): Promise<ContainerStats[]> {
  const asked = deps.records.all()
    .filter((record) => stateWord(record) === 'running')
    .filter((record) => record.id.startsWith(filter?.id ?? '') && record.podId.startsWith(filter?.podSandboxId ?? ''))
    .filter((record) => matchesLabels(record.config.labels, filter?.labelSelector));
  return await mapInSlices(asked, (record) => containerStats(deps, record));
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
