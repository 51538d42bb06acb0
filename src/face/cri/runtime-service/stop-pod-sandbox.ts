import type { StopPodSandboxRequest, StopPodSandboxResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function stopPodSandbox({ podSandboxId }: StopPodSandboxRequest, { engine, ctx }: RpcCall): Promise<StopPodSandboxResponse> {
  await engine.pods.stop(required(podSandboxId, 'stop pod', 'pod_sandbox_id'), ctx);
  return {};
}
