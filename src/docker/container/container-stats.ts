import { matchesLabels } from '../../base/label-selector.ts';
import { ContainerState } from '../../gen/cri.ts';
import type { ContainerStats, ContainerStatsFilter, FilesystemUsage } from '../../gen/cri.ts';
import { cpuUsage, ioUsage, memoryUsage, swapUsage } from '../../part/cgroup/cri-usage.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { cgroupOf } from '../records.ts';
import type { ContainerRecord } from '../records.ts';

/** What the container uses now, as the kernel counts it: the Engine is not asked, which would take a second for each and walk its layers for their sizes. */
export async function containerStats(deps: DockerDeps, record: ContainerRecord): Promise<ContainerStats> {
  const measured = isRunning(record) ? (await deps.cgroups()).measure(cgroupOf(record, await deps.cgroupDriver())) : undefined;
  const stats = measured?.stats;
  return {
    attributes: { id: record.id, metadata: record.config.metadata, labels: record.config.labels, annotations: record.config.annotations },
    cpu: stats === undefined ? undefined : cpuUsage(stats, measured?.nanoCores),
    memory: stats === undefined ? undefined : memoryUsage(stats),
    writableLayer: await writableLayer(deps, record),
    swap: stats === undefined ? undefined : swapUsage(stats),
    io: stats === undefined ? undefined : ioUsage(stats),
  };
}

/** The stats of all running containers that match; ids match by prefix. */
export async function listContainerStats(deps: DockerDeps, filter: ContainerStatsFilter | undefined): Promise<ContainerStats[]> {
  const asked = deps.mirror.containers.all()
    .filter(isRunning)
    .filter(({ id, podId }) => id.startsWith(filter?.id ?? '') && podId.startsWith(filter?.podSandboxId ?? ''))
    .filter(({ config }) => matchesLabels(config.labels, filter?.labelSelector));
  return await Promise.all(asked.map((record) => containerStats(deps, record)));
}

function isRunning({ state }: ContainerRecord): boolean {
  return state === ContainerState.CONTAINER_RUNNING;
}

/** The upper directory of the storage driver overlay2, measured in the background; other drivers do not say where a container's files are. */
async function writableLayer(deps: DockerDeps, { id, engine }: ContainerRecord): Promise<FilesystemUsage> {
  const { DockerRootDir } = await deps.info();
  const upper = engine.GraphDriver?.Data?.['UpperDir'];
  const usage = upper === undefined ? undefined : deps.usage.usage(id, { directories: [upper] });
  return {
    timestamp: usage?.at ?? BigInt(Date.now()) * 1_000_000n,
    fsId: { mountpoint: DockerRootDir },
    usedBytes: { value: usage?.bytes ?? 0n },
    inodesUsed: { value: usage?.inodes ?? 0n },
  };
}
