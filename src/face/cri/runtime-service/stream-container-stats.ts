import type { StreamContainerStatsRequest, StreamContainerStatsResponse } from '../../../gen/cri.ts';
import { inMessages } from '../in-messages.ts';
import type { RpcCall } from '../rpc.ts';

export async function* streamContainerStats(
  { filter }: StreamContainerStatsRequest, { engine }: RpcCall,
): AsyncGenerator<StreamContainerStatsResponse> {
  for (const containerStats of inMessages(await engine.containers.listStats(filter))) yield { containerStats };
}
