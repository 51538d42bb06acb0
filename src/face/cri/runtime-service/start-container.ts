import type { StartContainerRequest, StartContainerResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function startContainer({ containerId }: StartContainerRequest, { engine, ctx }: RpcCall): Promise<StartContainerResponse> {
  await engine.containers.start(required(containerId, 'start container', 'container_id'), ctx);
  return {};
}
