import { failure } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import type { PodEngine, PodResourceChange } from '../../engine/engine.ts';
import { podName, usesHostNetwork } from '../../part/spec/pod-config.ts';
import { podInterface } from '../../part/cni/pod-attachment.ts';
import { checkResources } from '../../part/spec/check-resources.ts';
import { containerStatus } from '../container/container-status.ts';
import type { DockerDeps } from '../docker-deps.ts';
import type { PodRecord } from '../records.ts';
import { listPods, podInfo, podStatus } from './pod-status.ts';
import { listPodStats, podStats } from './pod-stats.ts';
import { removePod } from './remove-pod.ts';
import { runPod } from './run-pod.ts';
import { stopPod } from './stop-pod.ts';

/** The engine contract for pods, each method one recipe. */
export function createPodEngine(deps: DockerDeps): PodEngine {
  const get = (id: string): PodRecord => getByIdPrefix(deps.mirror.pods, id, 'pod');
  const resized = new Map<string, PodResourceChange>();
  return {
    run: (request, ctx) => runPod(deps, request, ctx),
    stop: (id, ctx) => stopPod(deps, id, ctx),
    remove: async (id, ctx) => {
      await removePod(deps, id, ctx);
      for (const known of resized.keys()) if (deps.mirror.pods.get(known) === undefined) resized.delete(known);
    },
    status: async (id, verbose) => {
      const pod = get(id);
      const ips = pod.ready && !usesHostNetwork(pod.config) ? await deps.cni.addresses({ containerId: pod.id, ifName: podInterface }) : [];
      return { status: podStatus(pod, ips), info: verbose ? podInfo(pod, resized.get(pod.id)) : {}, containers: deps.mirror.containersOf(pod.id).map(containerStatus) };
    },
    list: async (filter) => listPods(deps.mirror.pods.all(), filter),
    updateResources: async (id, change) => {
      const pod = get(id);
      if (change.overhead !== undefined) checkResources(change.overhead, 'overhead');
      if (change.resources !== undefined) checkResources(change.resources, 'resources');
      if (!pod.ready) throw failure('failed-precondition', { act: 'update resources of pod', object: podName(pod.config), why: 'the pod is not ready: it was stopped, or its infra container ended' });
      const before = resized.get(pod.id);
      resized.set(pod.id, { overhead: change.overhead ?? before?.overhead, resources: change.resources ?? before?.resources });
    },
    stats: async (id) => podStats(deps, get(id)),
    listStats: async (filter) => listPodStats(deps, filter),
  };
}
