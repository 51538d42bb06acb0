import type { RestorePodRequest, RestorePodResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import { checkpointsOf } from '../checkpoints-of.ts';
import type { RpcCall } from '../rpc.ts';

export async function restorePod(
  { checkpointPath, config, runtimeHandler, options, containerConfigs }: RestorePodRequest, { engine, ctx }: RpcCall,
): Promise<RestorePodResponse> {
  const act = 'restore pod';
  const path = required(checkpointPath, act, 'checkpoint_path');
  const wanted = required(config, act, 'config');
  const metadata = required(wanted.metadata, act, 'config.metadata');
  required(metadata.name, act, 'config.metadata.name');
  required(metadata.namespace, act, 'config.metadata.namespace');
  const restored = await checkpointsOf(engine, act).restorePod({ checkpointPath: path, config: wanted, runtimeHandler, options, containerConfigs }, ctx);
  return { podSandboxId: restored.podId, restoredContainers: restored.containers.map(({ name, id }) => ({ name, containerId: id })) };
}
