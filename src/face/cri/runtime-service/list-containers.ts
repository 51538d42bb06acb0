import type { ListContainersRequest, ListContainersResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

export async function listContainers({ filter }: ListContainersRequest, { engine }: RpcCall): Promise<ListContainersResponse> {
  return { containers: await engine.containers.list(filter) };
}
