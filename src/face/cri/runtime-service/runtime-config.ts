import type { RuntimeConfigRequest, RuntimeConfigResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

export async function runtimeConfig(_request: RuntimeConfigRequest, { engine }: RpcCall): Promise<RuntimeConfigResponse> {
  return engine.node.runtimeConfig();
}
