import type { StopContainerRequest, StopContainerResponse } from '../../../gen/cri.ts';
import { required } from '../required.ts';
import type { RpcCall } from '../rpc.ts';
import { secondsOf } from '../seconds-of.ts';

export async function stopContainer(
  { containerId, timeout }: StopContainerRequest, { engine, ctx }: RpcCall,
): Promise<StopContainerResponse> {
  await engine.containers.stop(required(containerId, 'stop container', 'container_id'), secondsOf(timeout), ctx);
  return {};
}
