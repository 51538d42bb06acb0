import type { StatusRequest, StatusResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

export async function status({ verbose }: StatusRequest, { engine }: RpcCall): Promise<StatusResponse> {
  const { status, handlers, features, info } = await engine.node.status(verbose);
  return { status, info, runtimeHandlers: handlers, features };
}
