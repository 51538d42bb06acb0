import { PodSandboxState } from '../../../gen/cri.ts';
import type { StreamPodSandboxesRequest, StreamPodSandboxesResponse } from '../../../gen/cri.ts';
import { inMessages } from '../in-messages.ts';
import { withKnownState } from '../known-state.ts';
import type { RpcCall } from '../rpc.ts';

export async function* streamPodSandboxes(
  { filter }: StreamPodSandboxesRequest, { engine }: RpcCall,
): AsyncGenerator<StreamPodSandboxesResponse> {
  const known = withKnownState(filter, 'list pods', PodSandboxState);
  for (const podSandboxes of inMessages(await engine.pods.list(known))) yield { podSandboxes };
}
