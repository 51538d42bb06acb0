import type { ContainerStatsRequest, ContainerStatsResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function containerStats({ containerId }: ContainerStatsRequest, { engine }: RpcCall): Promise<ContainerStatsResponse> {
  return { stats: await engine.containers.stats(required(containerId, 'stats of container', 'container_id')) };
}
