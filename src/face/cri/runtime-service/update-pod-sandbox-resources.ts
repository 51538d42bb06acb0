import { failure } from '../../../base/errors.ts';
import type { UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse } from '../../../gen/cri.ts';

/** The kubelet takes UNIMPLEMENTED for "this runtime need not know" and goes on with the resize. */
export async function updatePodSandboxResources(request: UpdatePodSandboxResourcesRequest): Promise<UpdatePodSandboxResourcesResponse> {
  throw failure('unimplemented', {
    act: 'update resources of pod', object: request.podSandboxId,
    why: 'resizing a pod as a whole is not part of this version; its containers can be resized',
  });
}
