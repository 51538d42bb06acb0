import type { RunPodSandboxRequest, RunPodSandboxResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function runPodSandbox(
  { config, runtimeHandler }: RunPodSandboxRequest, { engine, ctx }: RpcCall,
): Promise<RunPodSandboxResponse> {
  const act = 'run pod';
  const wanted = required(config, act, 'config');
  const metadata = required(wanted.metadata, act, 'config.metadata');
  required(metadata.name, act, 'config.metadata.name');
  required(metadata.namespace, act, 'config.metadata.namespace');
  return { podSandboxId: await engine.pods.run({ config: wanted, runtimeHandler }, ctx) };
}
