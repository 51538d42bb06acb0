import type { UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function updatePodSandboxResources(
  { podSandboxId, overhead, resources }: UpdatePodSandboxResourcesRequest, { engine, ctx }: RpcCall,
): Promise<UpdatePodSandboxResourcesResponse> {
  await engine.pods.updateResources(required(podSandboxId, 'update resources of pod', 'pod_sandbox_id'), { overhead, resources }, ctx);
  return {};
}
