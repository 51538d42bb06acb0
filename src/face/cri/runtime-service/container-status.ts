import type { ContainerStatusRequest, ContainerStatusResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function containerStatus(
  { containerId, verbose }: ContainerStatusRequest, { engine }: RpcCall,
): Promise<ContainerStatusResponse> {
  return engine.containers.status(required(containerId, 'status of container', 'container_id'), verbose);
}
