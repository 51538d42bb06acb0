import type { StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse } from '../../../gen/cri.ts';
import { inMessages } from '../in-messages.ts';
import type { RpcCall } from '../rpc.ts';

export async function* streamPodSandboxStats(
  { filter }: StreamPodSandboxStatsRequest, { engine }: RpcCall,
): AsyncGenerator<StreamPodSandboxStatsResponse> {
  for (const podSandboxStats of inMessages(await engine.pods.listStats(filter))) yield { podSandboxStats };
}
