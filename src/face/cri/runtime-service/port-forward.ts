import { failure } from '../../../base/errors.ts';
import type { PortForwardRequest, PortForwardResponse } from '../../../gen/cri.ts';

export async function portForward(request: PortForwardRequest): Promise<PortForwardResponse> {
  throw failure('unimplemented', {
    act: 'forward ports of pod', object: request.podSandboxId,
    why: 'streaming sessions are not part of this version; the pod answers on its own address',
  });
}
