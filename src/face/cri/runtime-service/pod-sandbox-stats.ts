import type { PodSandboxStatsRequest, PodSandboxStatsResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function podSandboxStats({ podSandboxId }: PodSandboxStatsRequest, { engine }: RpcCall): Promise<PodSandboxStatsResponse> {
  return { stats: await engine.pods.stats(required(podSandboxId, 'stats of pod', 'pod_sandbox_id')) };
}
