import type { ImageSpec } from '../../gen/cri.ts';

/** The CRI's way to name an image by what a person wrote: a reference, or an id. */
export function imageSpec(image: string): ImageSpec {
  return { image, annotations: {}, userSpecifiedImage: image, runtimeHandler: '', imageRef: '' };
}
