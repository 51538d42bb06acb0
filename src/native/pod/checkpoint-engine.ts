import { getByIdPrefix } from '../../base/object-id.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { CheckpointEngine, RestoredPod } from '../../engine/engine.ts';
import { checkpointContainer } from '../container/checkpoint-container.ts';
import type { CheckpointDeps } from './checkpoint-deps.ts';
import { checkpointPod } from './checkpoint-pod.ts';
import { restorePod } from './restore-pod.ts';
import { podKey } from '../../part/spec/pod-config.ts';

/** The engine contract for checkpoints, each method one recipe. */
export function createCheckpointEngine(deps: CheckpointDeps): CheckpointEngine {
  const taking = new SingleFlight<void>();
  const restoring = new SingleFlight<RestoredPod>();
  return {
    container: async (id, request, ctx) => {
      const record = getByIdPrefix(deps.containers.records, id, 'container');
      await taking.run(JSON.stringify([record.id, request.location]), () => checkpointContainer(deps.containers, record, request, ctx));
    },
    pod: async (request, ctx) => {
      const record = getByIdPrefix(deps.pods.records, request.podId, 'pod');
      await taking.run(JSON.stringify([record.id, request.outputPath, request.containerIds]), () => checkpointPod(deps, record, request, ctx));
    },
    restorePod: async (request, ctx) => await restoring.run(podKey(request.config), () => restorePod(deps, request, ctx)),
  };
}
