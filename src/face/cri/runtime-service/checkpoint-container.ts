import type { CheckpointContainerRequest, CheckpointContainerResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import { checkpointsOf } from '../checkpoints-of.ts';
import type { RpcCall } from '../rpc.ts';
import { secondsOf } from '../seconds-of.ts';

export async function checkpointContainer(
  { containerId, location, timeout }: CheckpointContainerRequest, { engine, ctx }: RpcCall,
): Promise<CheckpointContainerResponse> {
  const act = 'checkpoint container';
  const request = { location: required(location, act, 'location'), timeoutSeconds: secondsOf(timeout, act, 'timeout') };
  await checkpointsOf(engine, act).container(required(containerId, act, 'container_id'), request, ctx);
  return {};
}
