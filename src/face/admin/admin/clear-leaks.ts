import type { ClearLeaksRequest, ClearLeaksResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

export async function clearLeaks({ leaks }: ClearLeaksRequest, { engine, ctx }: AdminCall): Promise<ClearLeaksResponse> {
  return { cleared: await engine.node.clearLeaks(leaks, ctx) };
}
