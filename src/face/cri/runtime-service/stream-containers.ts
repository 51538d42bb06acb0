import { ContainerState } from '../../../gen/cri.ts';
import type { StreamContainersRequest, StreamContainersResponse } from '../../../gen/cri.ts';
import { inMessages } from '../in-messages.ts';
import { withKnownState } from '../known-state.ts';
import type { RpcCall } from '../rpc.ts';

export async function* streamContainers(
  { filter }: StreamContainersRequest, { engine }: RpcCall,
): AsyncGenerator<StreamContainersResponse> {
  const known = withKnownState(filter, 'list containers', ContainerState);
  for (const containers of inMessages(await engine.containers.list(known))) yield { containers };
}
