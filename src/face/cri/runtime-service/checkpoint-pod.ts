import { failure } from '../../../base/errors.ts';
import type { CheckpointPodRequest, CheckpointPodResponse } from '../../../gen/cri.ts';

export async function checkpointPod(request: CheckpointPodRequest): Promise<CheckpointPodResponse> {
  throw failure('unimplemented', { act: 'checkpoint pod', object: request.podSandboxId, why: 'checkpoints are not part of this version' });
}
