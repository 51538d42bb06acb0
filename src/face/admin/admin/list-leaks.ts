import type { ListLeaksRequest, ListLeaksResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

export async function listLeaks(_request: ListLeaksRequest, { engine }: AdminCall): Promise<ListLeaksResponse> {
  return await engine.node.leaks();
}
