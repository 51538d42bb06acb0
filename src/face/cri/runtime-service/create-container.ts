import type { CreateContainerRequest, CreateContainerResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function createContainer(
  { podSandboxId, config, sandboxConfig }: CreateContainerRequest, { engine, ctx }: RpcCall,
): Promise<CreateContainerResponse> {
  const act = 'create container';
  const podId = required(podSandboxId, act, 'pod_sandbox_id');
  const wanted = required(config, act, 'config');
  required(required(wanted.metadata, act, 'config.metadata').name, act, 'config.metadata.name');
  required(required(wanted.image, act, 'config.image').image, act, 'config.image.image');
  return { containerId: await engine.containers.create({ podId, config: wanted, podConfig: sandboxConfig }, ctx) };
}
