/**
 * What the layers of images take, from the Engine's own bookkeeping: `GET /images/{id}/history` has each layer's size, so that nothing is walked.
 * (`/system/df` would walk all containers.) An image never changes, so each is asked once.
 */
import { createHash } from 'node:crypto';
import { isKind } from '../../base/errors.ts';
import { someAtOnce } from '../../base/some-at-once.ts';
import type { EngineApi } from '../api/engine-api.ts';

export interface LayerSize {
  /** The same for two images that share the layer, and all below it. */
  readonly key: string;
  readonly bytes: bigint;
}

interface HistoryEntry {
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
}

export class LayerSizes {
  readonly #api: EngineApi;
  readonly #known = new Map<string, readonly LayerSize[]>();

  constructor(api: EngineApi) {
    this.#api = api;
  }

  /** By the image's id; one that was removed meanwhile has none. */
  async of(imageIds: readonly string[]): Promise<ReadonlyMap<string, readonly LayerSize[]>> {
    for (const id of this.#known.keys()) if (!imageIds.includes(id)) this.#known.delete(id);
    await someAtOnce(imageIds.filter((id) => !this.#known.has(id)), async (id) => {
      const layers = await this.#ask(id);
      if (layers !== undefined) this.#known.set(id, layers);
    });
    return this.#known;
  }

  async #ask(id: string): Promise<LayerSize[] | undefined> {
    try {
      return layersOf(await this.#api.call<HistoryEntry[]>({ act: { act: 'read history of image', object: id }, path: `/images/${id}/history` }));
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }
}

/** The history comes with the topmost first; what stands below a layer is part of what it is. */
export function layersOf(history: readonly HistoryEntry[]): LayerSize[] {
  let below = '';
  return history.toReversed().flatMap(({ Created, CreatedBy, Size }) => {
    below = createHash('sha256').update(JSON.stringify([below, Created, CreatedBy, Size])).digest('hex');
    return Size === 0 ? [] : [{ key: below, bytes: BigInt(Size) }];
  });
}
