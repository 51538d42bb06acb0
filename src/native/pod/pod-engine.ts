import { getByIdPrefix } from '../../base/object-id.ts';
import type { PodEngine, VerboseInfo } from '../../engine/engine.ts';
import { listPods, podStatus } from './list-pods.ts';
import type { PodDeps } from './pod-deps.ts';
import { pinnedNamespaces } from './pod-namespaces.ts';
import type { PodRecord } from './pod-record.ts';
import { listPodStats, podStats } from './pod-stats.ts';
import { removePod } from './remove-pod.ts';
import { runPod } from './run-pod.ts';
import { stopPod } from './stop-pod.ts';

/** The engine contract for pods, each method one recipe. */
export function createPodEngine(deps: PodDeps): PodEngine {
  const get = (id: string): PodRecord => getByIdPrefix(deps.records, id, 'pod');
  return {
    run: (request, ctx) => runPod(deps, request, ctx),
    stop: (id, ctx) => stopPod(deps, id, ctx),
    remove: (id, ctx) => removePod(deps, id, ctx),
    status: async (id, verbose) => {
      const record = get(id);
      return { status: podStatus(record, deps.isReady), info: verbose ? podInfo(deps, record) : {}, containers: deps.containers.statusesOf(record.id) };
    },
    list: async (filter) => listPods(deps.records.all(), filter, deps.isReady),
    stats: async (id) => podStats(deps, get(id)),
    listStats: async (filter) => listPodStats(deps, filter),
  };
}

/** The `info` map of a verbose status, under the key names that tools know from containerd. */
function podInfo(deps: PodDeps, record: PodRecord): VerboseInfo {
  return {
    info: JSON.stringify({
      pid: record.infra?.pid ?? 0,
      processStatus: record.infra === undefined ? 'none' : 'running',
      runtimeHandler: record.handler,
      runtimeType: 'oci',
      namespaces: pinnedNamespaces(deps.roots.state, record.id),
      cgroupParent: record.cgroupParent,
      config: record.config,
    }),
  };
}
