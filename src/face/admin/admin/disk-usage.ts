import type { DiskUsageRequest, DiskUsageResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

export async function diskUsage(_request: DiskUsageRequest, { engine }: AdminCall): Promise<DiskUsageResponse> {
  return await engine.images.diskUsage();
}
