import { during, failure, isKind } from '../../base/errors.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import type { ResolvedImage } from '../image/image-catalog.ts';
import type { ContainerDeps } from './container-deps.ts';

/** Finds the image on this node and holds it for the container's id, so that it cannot be removed while the container is made. */
export function resolveImage(deps: Pick<ContainerDeps, 'images'>, id: string, config: ContainerConfig): ResolvedImage {
  const reference = config.image?.image ?? '';
  if (reference === '') throw failure('invalid-argument', { act: 'find image', object: 'config.image', why: 'it is missing' });
  try {
    return deps.images.hold(reference, id);
  } catch (error) {
    if (isKind(error, 'not-found')) throw failure('not-found', { act: 'find image', object: reference, why: 'it is not on this node: pull it first', cause: error });
    throw during(error, { act: 'find image', object: reference });
  }
}
