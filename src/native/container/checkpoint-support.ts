import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { PodPlace } from './pod-place.ts';

/** What is done with a checkpoint, for messages. */
export interface CheckpointAct {
  readonly act: 'checkpoint container' | 'restore container';
  readonly object: string;
}

/**
 * Throws the failed-precondition that says which piece is missing: CRIU, an OCI runtime that knows it, or a kind of pod that it can handle. Asked before
 * anything is made.
 */
export async function checkCheckpointSupport(deps: ContainerDeps, pod: PodPlace, detail: CheckpointAct): Promise<void> {
  const refuse = (why: string): GantryError => failure('failed-precondition', { ...detail, why });
  const runtime = deps.handlers.of(pod.handler);
  if (runtime.sandbox !== undefined) throw refuse(`runtime handler ${runtime.name} is gVisor, whose containers CRIU cannot capture`);
  if (pod.idMappings !== undefined) throw refuse('its pod has a user namespace, which the OCI runtimes cannot restore yet');
  if (deps.snapshotters.inUse.driver === 'copy') throw refuse('the roots of containers are copies of images on this node (snapshotter), of which nobody can tell what was changed');
  const probed = await deps.probe(runtime);
  if ('error' in probed) throw refuse(probed.error);
  if (!probed.checkpoint) throw refuse(`runtime handler ${runtime.name} (${probed.version}) is built without CRIU: use runc, or a crun whose --version says +CRIU`);
  const criu = await deps.criu.state();
  if ('shortcoming' in criu) throw refuse(criu.shortcoming);
}
