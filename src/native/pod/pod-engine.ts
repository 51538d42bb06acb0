import { getByIdPrefix } from '../../base/object-id.ts';
import type { PodEngine } from '../../engine/engine.ts';
import { listPods, podStatus } from './list-pods.ts';
import type { PodDeps } from './pod-deps.ts';
import { podInfo } from './pod-info.ts';
import type { PodRecord } from './pod-record.ts';
import { listPodStats, podStats } from './pod-stats.ts';
import { removePod } from './remove-pod.ts';
import { runPod } from './run-pod.ts';
import { stopPod } from './stop-pod.ts';
import { updatePodResources } from './update-pod-resources.ts';

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
    updateResources: async (id, change) => updatePodResources(deps, get(id).id, change),
    stats: async (id) => podStats(deps, get(id)),
    listStats: async (filter) => listPodStats(deps, filter),
  };
}
