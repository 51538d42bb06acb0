import { failure } from '../../../base/errors.ts';
import type { ListMetricDescriptorsRequest, ListMetricDescriptorsResponse } from '../../../gen/cri.ts';

export async function listMetricDescriptors(_request: ListMetricDescriptorsRequest): Promise<ListMetricDescriptorsResponse> {
  throw failure('unimplemented', {
    act: 'list metric descriptors',
    why: 'pod metrics are not part of this version; ListPodSandboxStats has the usage',
  });
}
