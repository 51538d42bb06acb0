import type { StreamContainersRequest, StreamContainersResponse } from '../../../gen/cri.ts';
import { inMessages } from '../in-messages.ts';
import type { RpcCall } from '../rpc.ts';

export async function* streamContainers(
  { filter }: StreamContainersRequest, { engine }: RpcCall,
): AsyncGenerator<StreamContainersResponse> {
  for (const containers of inMessages(await engine.containers.list(filter))) yield { containers };
}
