import type { RemovePodSandboxRequest, RemovePodSandboxResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function removePodSandbox(
  { podSandboxId }: RemovePodSandboxRequest, { engine, ctx }: RpcCall,
): Promise<RemovePodSandboxResponse> {
  await engine.pods.remove(required(podSandboxId, 'remove pod', 'pod_sandbox_id'), ctx);
  return {};
}
