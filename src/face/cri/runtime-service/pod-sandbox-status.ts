import type { PodSandboxStatusRequest, PodSandboxStatusResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

/** The statuses of the containers and the time of asking are for a kubelet that listens to events: it takes them as the newer truth. */
export async function podSandboxStatus(
  { podSandboxId, verbose }: PodSandboxStatusRequest, { engine }: RpcCall,
): Promise<PodSandboxStatusResponse> {
  const timestamp = BigInt(Date.now()) * 1_000_000n;
  const { status, info, containers } = await engine.pods.status(required(podSandboxId, 'status of pod', 'pod_sandbox_id'), verbose);
  return { status, info, containersStatuses: containers, timestamp };
}
