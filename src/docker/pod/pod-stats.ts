import { matchesLabels } from '../../base/label-selector.ts';
import { ContainerState } from '../../gen/cri.ts';
import type { PodSandboxStats, PodSandboxStatsFilter } from '../../gen/cri.ts';
import { cpuUsage, ioUsage, memoryUsage } from '../../part/cgroup/cri-usage.ts';
import { networkUsage } from '../../part/cni/network-usage.ts';
import { usesHostNetwork } from '../../part/spec/pod-config.ts';
import { containerStats } from '../container/container-stats.ts';
import type { DockerDeps } from '../docker-deps.ts';
import type { PodRecord } from '../records.ts';
import { networkPin } from './pod-places.ts';

/** What the pod uses now, as the kernel counts it: its own cgroup, its network interfaces, and each of its running containers. */
export async function podStats(deps: DockerDeps, pod: PodRecord): Promise<PodSandboxStats> {
  const attributes = { id: pod.id, metadata: pod.config.metadata, labels: pod.config.labels, annotations: pod.config.annotations };
  if (!pod.ready) return { attributes, linux: undefined, windows: undefined };
  const running = deps.mirror.containersOf(pod.id).filter(({ state }) => state === ContainerState.CONTAINER_RUNNING);
  const containers = await Promise.all(running.map((record) => containerStats(deps, record)));
  const parent = pod.config.linux?.cgroupParent ?? '';
  const cgroups = await deps.cgroups();
  // Without a parent of its own there is no cgroup that is the pod's alone.
  const measured = parent === '' ? undefined : cgroups.measure(cgroups.podPath(parent));
  const stats = measured?.stats;
  const at = stats?.at ?? BigInt(Date.now()) * 1_000_000n;
  return {
    attributes,
    linux: {
      cpu: stats === undefined ? undefined : cpuUsage(stats, measured?.nanoCores),
      memory: stats === undefined ? undefined : memoryUsage(stats),
      // A pod in the host's network has no traffic of its own to count.
      network: usesHostNetwork(pod.config) ? undefined : networkUsage(networkPin(deps.roots.state, pod.id), at),
      process: stats?.pids === undefined ? undefined : { timestamp: at, processCount: { value: stats.pids.processes } },
      containers,
      io: stats === undefined ? undefined : ioUsage(stats),
    },
    windows: undefined,
  };
}

/** The stats of all ready pods that match; the id matches by prefix. */
export async function listPodStats(deps: DockerDeps, filter: PodSandboxStatsFilter | undefined): Promise<PodSandboxStats[]> {
  const asked = deps.mirror.pods.all().filter((pod) => pod.ready && pod.id.startsWith(filter?.id ?? '') && matchesLabels(pod.config.labels, filter?.labelSelector));
  return await Promise.all(asked.map((pod) => podStats(deps, pod)));
}
