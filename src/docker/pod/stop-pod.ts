import { during, isKind } from '../../base/errors.ts';
import { findByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import { removeNamespaces } from '../../host/namespaces.ts';
import { podAttachment } from '../../part/cni/pod-attachment.ts';
import { podName, usesHostNetwork } from '../../part/spec/pod-config.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { Stages } from '../../base/stages.ts';
import { killContainer } from '../container/stop-container.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { nameAt } from '../names.ts';
import type { PodRecord } from '../records.ts';
import { networkPin, podDirectory } from './pod-places.ts';

/**
 * Stops a pod. First its infra container is given the name of a stopped one, so that no container can be made in it from here on, whoever
 * asks and after whatever crash; then its containers are killed, its network goes, and the infra container ends. An unknown pod is success.
 */
export async function stopPod(deps: DockerDeps, id: string, ctx: CallContext): Promise<void> {
  const pod = findByIdPrefix(deps.mirror.pods, id, 'pod');
  if (pod === undefined) return;
  await deps.stopping.run(pod.id, () => endPod(deps, pod, ctx.stages));
}

/** As stopPod; may be repeated, one at a time. */
export async function endPod(deps: DockerDeps, pod: PodRecord, stages: Stages): Promise<void> {
  try {
    await markStopped(deps, pod);
    const killed = await Promise.allSettled(deps.mirror.containersOf(pod.id).map((container) => stages.run('containers', () => killContainer(deps, container))));
    await stages.run('network', () => detach(deps, pod));
    const refused = killed.find((outcome) => outcome.status === 'rejected');
    if (refused !== undefined) throw refused.reason;
    await killContainer(deps, pod);
  } catch (error) {
    throw during(error, { act: 'stop pod', object: podName(pod.config) });
  }
}

async function markStopped(deps: DockerDeps, pod: PodRecord): Promise<void> {
  if (pod.stage === 'stopped') return;
  const name = pod.engine.Name.slice(1);
  try {
    await deps.api.call({ act: { act: 'mark pod as stopped', object: name }, method: 'POST', path: `/containers/${pod.id}/rename`, query: { name: nameAt('stopped', name) } });
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error; // removed behind our back: there is nothing to mark, but a network to give back
  }
  await deps.mirror.refresh(pod.id);
}

/** Takes the pod's network away, also that of an infra container that is gone: its namespace and its attachment are ours. */
export async function detach(deps: DockerDeps, { id, config }: { readonly id: string; readonly config: PodSandboxConfig }): Promise<void> {
  if (!usesHostNetwork(config)) await deps.cni.del(podAttachment({ id, netnsPath: networkPin(deps.roots.state, id), config }));
  removeNamespaces(podDirectory(deps.roots.state, id));
}
