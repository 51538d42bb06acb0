import type { UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

/** The kubelet tells what it learnt; nothing told is nothing to do. */
export async function updateRuntimeConfig(
  { runtimeConfig }: UpdateRuntimeConfigRequest, { engine, ctx }: RpcCall,
): Promise<UpdateRuntimeConfigResponse> {
  const podCidr = runtimeConfig?.networkConfig?.podCidr ?? '';
  if (podCidr !== '') await engine.node.updatePodCidr(podCidr, ctx);
  return {};
}
