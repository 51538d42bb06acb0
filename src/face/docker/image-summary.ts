/** An image in the list that `docker images` prints. */
import type { Image } from '../../gen/cri.ts';
import { imageLabels } from './image-document.ts';
import type { ImageDocument } from './image-document.ts';
import { momentOf } from './moments.ts';

/** From this version on clients do not look for it, and the field is gone. */
const withoutVirtualSize = 44;

/** `document` is undefined when the image went away meanwhile. */
export function imageSummary({ id, repoTags, repoDigests, size }: Image, document: ImageDocument | undefined, apiVersion: number): object {
  return {
    Id: id,
    ParentId: '',
    RepoTags: repoTags,
    RepoDigests: repoDigests,
    Created: (momentOf(document?.created ?? '') ?? 0n) / 1_000_000_000n,
    Size: size,
    SharedSize: -1,
    ...(apiVersion < withoutVirtualSize ? { VirtualSize: size } : {}),
    Labels: document === undefined ? null : imageLabels(document),
    Containers: -1,
  };
}
