/** Stores an image whose layers are on the node in some other form: in an archive, or in another runtime's store. */
import type { Digest } from '../../base/digest.ts';
import { during } from '../../base/errors.ts';
import type { LoadedImage } from '../../engine/engine.ts';
import type { LayerRequest } from '../../part/layer/layer-store.ts';
import type { ImageDeps } from './image-deps.ts';
import { inLanes } from './in-lanes.ts';
import { recordNamedImage } from './record-image.ts';
import type { NamedImage } from './record-image.ts';
import { removeUnneeded } from './remove-image.ts';

export interface StorableImage extends Pick<NamedImage, 'repoTags' | 'repoDigests' | 'config' | 'documents'> {
  /** Each once. */
  readonly layers: readonly StorableLayer[];
}

export interface StorableLayer {
  readonly diffId: Digest;
  /** How the layer is to be had; asked only when it is not here. */
  readonly source: (signal: AbortSignal) => Promise<Omit<LayerRequest, 'signal'>>;
}

/** Stores the layers that are not here yet and makes the image known under its names, or leaves nothing of it behind. Errors: those of LayerStore.add. */
export async function storeImage(deps: ImageDeps, image: StorableImage, signal: AbortSignal): Promise<LoadedImage> {
  const { config, documents, layers, repoTags, repoDigests } = image;
  const missing = layers.filter((layer) => deps.layers.get(layer.diffId) === undefined);
  const release = deps.holds.hold([...config.document.diffIds, ...documents.map(({ digest }) => digest)]);
  try {
    await inLanes(missing, { lanes: deps.layersAtOnce, signal }, async ({ source }, laneSignal) => {
      await deps.layers.add({ ...(await source(laneSignal)), signal: laneSignal });
    });
    const spec = { image: repoTags[0] ?? config.digest, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
    await recordNamedImage(deps, { repoTags, repoDigests, pulledAs: undefined, spec, documents, config });
    return { id: config.digest, names: repoTags };
  } catch (error) {
    release();
    await removeUnneeded(deps, missing.map(({ diffId }) => diffId));
    throw during(error, { act: 'store image', object: repoTags[0] ?? config.digest });
  } finally {
    release();
  }
}
