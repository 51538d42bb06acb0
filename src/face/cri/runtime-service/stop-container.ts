import type { StopContainerRequest, StopContainerResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';
import { secondsOf } from '../seconds-of.ts';

export async function stopContainer(
  { containerId, timeout }: StopContainerRequest, { engine, ctx }: RpcCall,
): Promise<StopContainerResponse> {
  const act = 'stop container';
  await engine.containers.stop(required(containerId, act, 'container_id'), secondsOf(timeout, act, 'timeout'), ctx);
  return {};
}
