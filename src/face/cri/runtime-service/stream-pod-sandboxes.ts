import type { StreamPodSandboxesRequest, StreamPodSandboxesResponse } from '../../../gen/cri.ts';
import { inMessages } from '../in-messages.ts';
import type { RpcCall } from '../rpc.ts';

export async function* streamPodSandboxes(
  { filter }: StreamPodSandboxesRequest, { engine }: RpcCall,
): AsyncGenerator<StreamPodSandboxesResponse> {
  for (const podSandboxes of inMessages(await engine.pods.list(filter))) yield { podSandboxes };
}
