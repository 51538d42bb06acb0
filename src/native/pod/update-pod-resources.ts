import { failure } from '../../base/errors.ts';
import type { PodResourceChange } from '../../engine/engine.ts';
import { LinuxPodSandboxConfig } from '../../gen/cri.ts';
import { checkResources } from '../../part/spec/check-resources.ts';
import type { PodDeps } from './pod-deps.ts';
import { podName } from '../../part/spec/pod-config.ts';

/**
 * Keeps what the kubelet resized a pod to. The pod's cgroup is the kubelet's, which has changed it before it calls; for us this is the
 * word that `overhead` and `resources` of the pod's config are others now: the verbose status and containers made from here on see
 * them. What is not given stays. Errors: invalid-argument names the field; failed-precondition when the pod is not ready.
 */
export function updatePodResources(deps: Pick<PodDeps, 'records' | 'isReady'>, id: string, { overhead, resources }: PodResourceChange): void {
  if (overhead !== undefined) checkResources(overhead, 'overhead');
  if (resources !== undefined) checkResources(resources, 'resources');
  const record = deps.records.get(id);
  if (record === undefined) throw failure('not-found', { act: 'update resources of pod', object: id, why: 'it was removed meanwhile' });
  if (!deps.isReady(record)) throw failure('failed-precondition', { act: 'update resources of pod', object: podName(record.config), why: 'the pod is not ready: it was stopped, or is of a boot before this one' });
  const linux = record.config.linux ?? LinuxPodSandboxConfig.decode(new Uint8Array());
  deps.records.put(id, {
    ...record,
    config: { ...record.config, linux: { ...linux, ...(overhead === undefined ? {} : { overhead }), ...(resources === undefined ? {} : { resources }) } },
  });
}
