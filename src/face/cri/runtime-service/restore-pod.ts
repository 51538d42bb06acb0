import { failure } from '../../../base/errors.ts';
import type { RestorePodRequest, RestorePodResponse } from '../../../gen/cri.ts';

export async function restorePod(_request: RestorePodRequest): Promise<RestorePodResponse> {
  throw failure('unimplemented', { act: 'restore pod', why: 'checkpoints are not part of this version' });
}
