import { during } from '../../base/errors.ts';
import { findByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import { podName } from '../../part/spec/pod-config.ts';
import { removeFromEngine } from '../container/remove-container.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { detach, endPod } from './stop-pod.ts';

/** Stops a pod if need be and removes it with its containers. The infra container goes last: as long as it is there, the pod can be removed again. An unknown pod is success. */
export async function removePod(deps: DockerDeps, id: string, ctx: CallContext): Promise<void> {
  const pod = findByIdPrefix(deps.mirror.pods, id, 'pod');
  if (pod === undefined) return;
  await deps.removing.run(pod.id, async () => {
    await deps.stopping.run(pod.id, () => endPod(deps, pod, ctx.stages));
    try {
      await Promise.all(deps.mirror.containersOf(pod.id).map((container) => ctx.stages.run('remove containers', () => removeFromEngine(deps, container))));
      await ctx.stages.run('undo', () => removeFromEngine(deps, pod));
    } catch (error) {
      throw during(error, { act: 'remove pod', object: podName(pod.config) });
    }
  });
}

/** Takes away a pod that never came to be. Repeating is fine. */
export async function removeHalfMadePod(deps: DockerDeps, pod: { readonly id: string; readonly config: PodSandboxConfig }): Promise<void> {
  await detach(deps, pod);
  await removeFromEngine(deps, { id: pod.id });
}
