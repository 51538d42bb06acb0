import { failure } from '../../../base/errors.ts';
import type { AttachRequest, AttachResponse } from '../../../gen/cri.ts';

export async function attach(request: AttachRequest): Promise<AttachResponse> {
  throw failure('unimplemented', {
    act: 'attach to container', object: request.containerId,
    why: 'streaming sessions are not part of this version; the log has what the container writes',
  });
}
