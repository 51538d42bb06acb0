import { failure } from '../../../base/errors.ts';
import type { ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse } from '../../../gen/cri.ts';

export async function listPodSandboxMetrics(_request: ListPodSandboxMetricsRequest): Promise<ListPodSandboxMetricsResponse> {
  throw failure('unimplemented', {
    act: 'list pod metrics',
    why: 'pod metrics are not part of this version; ListPodSandboxStats has the usage',
  });
}
