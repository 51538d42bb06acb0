import { failure } from '../../../base/errors.ts';
import type { ContainerEventResponse, GetEventsRequest } from '../../../gen/cri.ts';

/** A kubelet that hears UNIMPLEMENTED goes back to listing. */
export function getContainerEvents(_request: GetEventsRequest): AsyncIterable<ContainerEventResponse> {
  throw failure('unimplemented', {
    act: 'watch container events',
    why: 'container events are not part of this version; list and ask for statuses',
  });
}
