import { failure } from '../../../base/errors.ts';
import type { CheckpointContainerRequest, CheckpointContainerResponse } from '../../../gen/cri.ts';

export async function checkpointContainer(request: CheckpointContainerRequest): Promise<CheckpointContainerResponse> {
  throw failure('unimplemented', {
    act: 'checkpoint container', object: request.containerId,
    why: 'checkpoints are not part of this version',
  });
}
