import { matchesLabels } from '../../base/label-selector.ts';
import type { NetworkUsage, PodSandboxStats, PodSandboxStatsFilter } from '../../gen/cri.ts';
import { cpuUsage, ioUsage, memoryUsage } from '../../part/cgroup/cri-usage.ts';
import { networkUsage } from '../../part/cni/network-usage.ts';
import { mapInSlices } from '../container/map-in-slices.ts';
import type { PodDeps } from './pod-deps.ts';
import { pinnedNamespaces } from './pod-namespaces.ts';
import type { PodRecord } from './pod-record.ts';

/** What the pod uses now: its own cgroup, its network interfaces, and each of its running containers. */
export async function podStats(deps: PodDeps, record: PodRecord): Promise<PodSandboxStats> {
  const attributes = { id: record.id, metadata: record.config.metadata, labels: record.config.labels, annotations: record.config.annotations };
  const containers = await deps.containers.statsOf(record.id);
  if (!deps.isReady(record)) return { attributes, linux: undefined, windows: undefined };
  // Without a parent of its own (systemd, and nobody named a slice) there is no cgroup that is the pod's alone.
  const measured = record.cgroupParent === '' ? undefined : deps.cgroups.measure(deps.cgroups.podPath(record.cgroupParent));
  const stats = measured?.stats;
  const at = stats?.at ?? BigInt(Date.now()) * 1_000_000n;
  return {
    attributes,
    linux: {
      cpu: stats === undefined ? undefined : cpuUsage(stats, measured?.nanoCores),
      memory: stats === undefined ? undefined : memoryUsage(stats),
      network: networkOf(deps, record, at),
      process: stats?.pids === undefined ? undefined : { timestamp: at, processCount: { value: stats.pids.processes } },
      containers,
      io: stats === undefined ? undefined : ioUsage(stats),
    },
    windows: undefined,
  };
}

/** The stats of all ready pods that match; the id matches by prefix. */
export async function listPodStats(deps: PodDeps, filter: PodSandboxStatsFilter | undefined): Promise<PodSandboxStats[]> {
  const asked = deps.records.all().filter((record) => deps.isReady(record) && record.id.startsWith(filter?.id ?? '') && matchesLabels(record.config.labels, filter?.labelSelector));
  return await Promise.all(await mapInSlices(asked, (record) => podStats(deps, record)));
}

/** A pod in the host's network has no traffic of its own to count. */
function networkOf(deps: PodDeps, record: PodRecord, timestamp: bigint): NetworkUsage | undefined {
  const { net } = pinnedNamespaces(deps.roots.state, record.id);
  return net === undefined ? undefined : networkUsage(net, timestamp);
}
