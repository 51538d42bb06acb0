import type { ListContainerStatsRequest, ListContainerStatsResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

export async function listContainerStats({ filter }: ListContainerStatsRequest, { engine }: RpcCall): Promise<ListContainerStatsResponse> {
  return { stats: await engine.containers.listStats(filter) };
}
