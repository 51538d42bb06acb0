/** The images as the container engine sees them: what a container of one needs. */
import { failure } from '../../base/errors.ts';
import type { ImageRunConfig } from '../../part/content/image-document.ts';
import type { ImageDeps } from './image-deps.ts';
import type { ImageRecord } from './image-records.ts';

export interface ResolvedImage {
  /** `sha256:…`, the same in every call. */
  readonly id: string;
  readonly config: ImageRunConfig;
  /** Lower directories of a root filesystem, absolute, topmost first, none twice; empty for an image without layers. */
  readonly layers: readonly string[];
  /** The first `name@digest` that it was pulled as; empty when there is none. */
  readonly repoDigest: string;
  /** What the user of the latest pull called it. */
  readonly userSpecified: string;
}

export interface ImageCatalog {
  /** Looks an image up by id, id prefix or name, from memory; not-found when it isn't here. */
  resolve(image: string): ResolvedImage;
  /** Resolves for a container in the making: until `release(holder)` the image can't be removed. A holder may hold several. */
  hold(image: string, holder: string): ResolvedImage;
  /** Lets go of all that it holds: the container is on record (so that `usedBy` names it) or won't be made. Unknown is fine. */
  release(holder: string): void;
}

export function createImageCatalog(deps: ImageDeps): ImageCatalog {
  return {
    resolve: (image) => describe(deps, find(deps, image)),
    hold(image, holder) {
      const resolved = describe(deps, find(deps, image));
      deps.heldImages.set(holder, (deps.heldImages.get(holder) ?? new Set()).add(resolved.id));
      return resolved;
    },
    release(holder) {
      deps.heldImages.delete(holder);
    },
  };
}

function find(deps: ImageDeps, image: string): ImageRecord {
  const record = deps.records.find(image);
  if (record === undefined) throw failure('not-found', { act: 'find image', object: image, why: 'it is not on this node: pull it first' });
  return record;
}

function describe(deps: ImageDeps, record: ImageRecord): ResolvedImage {
  // A layer that appears twice counts where it lies topmost: there it covers all that it brought further down.
  const topmostFirst = [...new Set(record.layers.toReversed())];
  return {
    id: record.id,
    config: record.config,
    layers: topmostFirst.map((diffId) => deps.layers.directoryOf(diffId)),
    repoDigest: record.repoDigests[0] ?? '',
    userSpecified: record.spec.userSpecifiedImage || record.spec.image,
  };
}
