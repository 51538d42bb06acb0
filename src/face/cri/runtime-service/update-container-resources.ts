import { failure } from '../../../base/errors.ts';
import type { UpdateContainerResourcesRequest, UpdateContainerResourcesResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function updateContainerResources(
  { containerId, linux, windows, annotations }: UpdateContainerResourcesRequest, { engine, ctx }: RpcCall,
): Promise<UpdateContainerResourcesResponse> {
  const act = 'update resources of container';
  const id = required(containerId, act, 'container_id');
  if (windows !== undefined) throw failure('invalid-argument', { act, object: 'windows', why: 'this is a Linux node' });
  await engine.containers.updateResources(id, { linux: required(linux, act, 'linux'), annotations }, ctx);
  return {};
}
