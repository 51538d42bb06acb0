import type { RemoveContainerRequest, RemoveContainerResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function removeContainer({ containerId }: RemoveContainerRequest, { engine, ctx }: RpcCall): Promise<RemoveContainerResponse> {
  await engine.containers.remove(required(containerId, 'remove container', 'container_id'), ctx);
  return {};
}
