import type { CheckpointPodRequest, CheckpointPodResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import { checkpointsOf } from '../checkpoints-of.ts';
import type { RpcCall } from '../rpc.ts';

export async function checkpointPod(
  { podSandboxId, outputPath, containerIds, options }: CheckpointPodRequest, { engine, ctx }: RpcCall,
): Promise<CheckpointPodResponse> {
  const act = 'checkpoint pod';
  const podId = required(podSandboxId, act, 'pod_sandbox_id');
  await checkpointsOf(engine, act).pod({ podId, outputPath: required(outputPath, act, 'output_path'), containerIds, options }, ctx);
  return {};
}
