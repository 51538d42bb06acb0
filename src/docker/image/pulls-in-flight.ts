import { LayerPhase } from '../../gen/admin.ts';
import type { Pull, PullLayer } from '../../gen/admin.ts';
import type { ProgressLine } from './pull-image.ts';

/** What the Engine has told of one pull. */
export class PullProgress {
  readonly #image: string;
  readonly #startedAt = BigInt(Date.now()) * 1_000_000n;
  readonly #layers = new Map<string, PullLayer>();

  constructor(image: string) {
    this.#image = image;
  }

  heard({ id, status = '', progressDetail = {} }: ProgressLine): void {
    const phase = phases[status];
    if (id === undefined || phase === undefined) return;
    const { current, total } = progressDetail;
    const before = this.#layers.get(id);
    const fetching = phase === LayerPhase.LAYER_DOWNLOADING;
    this.#layers.set(id, {
      digest: id, // the Engine tells its beginning only
      phase,
      bytesWanted: fetching && total !== undefined ? BigInt(total) : before?.bytesWanted ?? 0n,
      bytesReceived: fetching && current !== undefined ? BigInt(current) : phase === LayerPhase.LAYER_WAITING ? 0n : before?.bytesWanted ?? 0n,
      bytesPerSecond: 0n,
      host: '',
    });
  }

  snapshot(): Pull {
    return { image: this.#image, startedAt: this.#startedAt, stage: this.#layers.size === 0 ? 'resolve' : 'layers', layers: [...this.#layers.values()] };
  }
}

/** The Engine's words for what it does with a layer. */
const phases: Readonly<Record<string, LayerPhase>> = {
  'Pulling fs layer': LayerPhase.LAYER_WAITING,
  Waiting: LayerPhase.LAYER_WAITING,
  Downloading: LayerPhase.LAYER_DOWNLOADING,
  'Verifying Checksum': LayerPhase.LAYER_UNPACKING,
  'Download complete': LayerPhase.LAYER_UNPACKING,
  Extracting: LayerPhase.LAYER_UNPACKING,
  'Pull complete': LayerPhase.LAYER_DONE,
  'Already exists': LayerPhase.LAYER_DONE,
};
