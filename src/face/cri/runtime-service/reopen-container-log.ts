import type { ReopenContainerLogRequest, ReopenContainerLogResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function reopenContainerLog(
  { containerId }: ReopenContainerLogRequest, { engine, ctx }: RpcCall,
): Promise<ReopenContainerLogResponse> {
  await engine.containers.reopenLog(required(containerId, 'reopen log of container', 'container_id'), ctx);
  return {};
}
