import { readFileSync } from 'node:fs';
import { isKind } from '../../base/errors.ts';
import { matchesLabels } from '../../base/label-selector.ts';
import type { NetworkInterfaceUsage, NetworkUsage, PodSandboxStats, PodSandboxStatsFilter } from '../../gen/cri.ts';
import { inNetworkNamespace } from '../../host/namespaces.ts';
import { cpuUsage, ioUsage, memoryUsage } from '../container/cri-usage.ts';
import { mapInSlices } from '../container/map-in-slices.ts';
import type { PodDeps } from './pod-deps.ts';
import { podInterface } from './pod-network.ts';
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
      network: networkUsage(deps, record, at),
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
function networkUsage(deps: PodDeps, record: PodRecord, timestamp: bigint): NetworkUsage | undefined {
  const { net } = pinnedNamespaces(deps.roots.state, record.id);
  if (net === undefined) return undefined;
  const table = networkTable(net);
  if (table === undefined) return undefined;
  const interfaces = parseNetDev(table).filter(({ name }) => name !== 'lo');
  return { timestamp, defaultInterface: interfaces.find(({ name }) => name === podInterface), interfaces: interfaces.filter(({ name }) => name !== podInterface) };
}

/** Undefined when somebody unpinned the namespace: the stats of other pods are listed all the same. */
function networkTable(pin: string): string | undefined {
  try {
    return inNetworkNamespace(pin, () => readFileSync('/proc/thread-self/net/dev', 'latin1'));
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

/** proc_pid_net(5), `dev`: after the name eight figures of receiving and eight of sending; of each, bytes first and errors third. */
export function parseNetDev(table: string): NetworkInterfaceUsage[] {
  return table.split('\n').slice(2).filter((line) => line.includes(':')).map((line) => {
    const colon = line.indexOf(':');
    const figures = line.slice(colon + 1).trim().split(/\s+/);
    const figure = (index: number): { value: bigint } => ({ value: BigInt(figures[index] ?? 0) });
    return { name: line.slice(0, colon).trim(), rxBytes: figure(0), rxErrors: figure(2), txBytes: figure(8), txErrors: figure(10) };
  });
}

