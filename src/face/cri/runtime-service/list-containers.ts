import { ContainerState } from '../../../gen/cri.ts';
import type { ListContainersRequest, ListContainersResponse } from '../../../gen/cri.ts';
import { withKnownState } from '../known-state.ts';
import type { RpcCall } from '../rpc.ts';

export async function listContainers({ filter }: ListContainersRequest, { engine }: RpcCall): Promise<ListContainersResponse> {
  return { containers: await engine.containers.list(withKnownState(filter, 'list containers', ContainerState)) };
}
