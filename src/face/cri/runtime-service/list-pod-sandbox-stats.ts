import type { ListPodSandboxStatsRequest, ListPodSandboxStatsResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

export async function listPodSandboxStats(
  { filter }: ListPodSandboxStatsRequest, { engine }: RpcCall,
): Promise<ListPodSandboxStatsResponse> {
  return { stats: await engine.pods.listStats(filter) };
}
