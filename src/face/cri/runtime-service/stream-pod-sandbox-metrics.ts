import { failure } from '../../../base/errors.ts';
import type { StreamPodSandboxMetricsRequest, StreamPodSandboxMetricsResponse } from '../../../gen/cri.ts';

export function streamPodSandboxMetrics(_request: StreamPodSandboxMetricsRequest): AsyncIterable<StreamPodSandboxMetricsResponse> {
  throw failure('unimplemented', {
    act: 'stream pod metrics',
    why: 'pod metrics are not part of this version; StreamPodSandboxStats has the usage',
  });
}
