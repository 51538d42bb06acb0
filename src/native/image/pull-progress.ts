/** How far the pulls in flight are: plain bookkeeping, which the pulls write and whoever asks reads. */
import type { Digest } from '../../base/digest.ts';
import { LayerPhase } from '../../gen/admin.ts';
import type { Pull, PullLayer } from '../../gen/admin.ts';
import type { ImageLayer } from './fetch-layers.ts';
import type { LayerTransfer } from './layer-transfer.ts';

interface Followed {
  readonly layer: ImageLayer;
  readonly hereAlready: boolean;
  /** Undefined while it waits for its turn. */
  transfer: LayerTransfer | undefined;
}

/** What a log line says of a pull. */
export interface PullFigures {
  readonly bytes: number;
  readonly ofBytes: number;
  readonly layersFetched: number;
  readonly layersHere: number;
  readonly layers: number;
}

export class PullProgress {
  readonly image: string;
  readonly #startedAt = BigInt(Date.now()) * 1_000_000n;
  readonly #layers = new Map<Digest, Followed>();
  #stage = '';

  constructor(image: string) {
    this.image = image;
  }

  enter(stage: string): void {
    this.#stage = stage;
  }

  /** The image's layers are known, and which of them need no download. */
  layersAre(layers: readonly ImageLayer[], isHere: (layer: ImageLayer) => boolean): void {
    for (const layer of layers) this.#layers.set(layer.diffId, { layer, hereAlready: isHere(layer), transfer: undefined });
  }

  /** A layer is on its way; a second attempt takes the place of the first. */
  follow(diffId: Digest, transfer: LayerTransfer | undefined): void {
    const followed = this.#layers.get(diffId);
    if (followed !== undefined) followed.transfer = transfer;
  }

  snapshot(): Pull {
    return { image: this.image, startedAt: this.#startedAt, stage: this.#stage, layers: [...this.#layers.values()].map(layerSnapshot) };
  }

  /** Bytes are those that travelled, of the layers that were not here. */
  figures(): PullFigures {
    const all = [...this.#layers.values()];
    const here = all.filter((one) => one.hereAlready || one.transfer?.phase === LayerPhase.LAYER_HERE_ALREADY);
    return {
      bytes: all.reduce((sum, { transfer }) => sum + (transfer?.received ?? 0), 0),
      ofBytes: all.reduce((sum, one) => sum + (here.includes(one) ? 0 : one.layer.blob.size), 0),
      layersFetched: all.filter(({ transfer }) => transfer?.phase === LayerPhase.LAYER_DONE).length,
      layersHere: here.length,
      layers: all.length,
    };
  }
}

function layerSnapshot({ layer, hereAlready, transfer }: Followed): PullLayer {
  if (transfer !== undefined) return transfer.snapshot();
  return {
    digest: layer.blob.digest, phase: hereAlready ? LayerPhase.LAYER_HERE_ALREADY : LayerPhase.LAYER_WAITING, host: '',
    bytesWanted: BigInt(layer.blob.size), bytesReceived: 0n, bytesPerSecond: 0n,
  };
}

/** The pulls in flight, and the layer transfers that they share. */
export class PullsInFlight {
  readonly #pulls = new Set<PullProgress>();
  readonly #transfers = new Map<string, LayerTransfer>();

  /** Keeps a pull's figures while `work` runs. */
  async during<T>(image: string, work: (progress: PullProgress) => Promise<T>): Promise<T> {
    const progress = new PullProgress(image);
    this.#pulls.add(progress);
    try {
      return await work(progress);
    } finally {
      this.#pulls.delete(progress);
    }
  }

  /** Keeps the figures of the download with this key while `work` runs. */
  async transferring<T>(key: string, transfer: LayerTransfer, work: () => Promise<T>): Promise<T> {
    this.#transfers.set(key, transfer);
    try {
      const result = await work();
      transfer.ended();
      return result;
    } finally {
      this.#transfers.delete(key);
    }
  }

  /** The download in flight with this key. */
  transfer(key: string): LayerTransfer | undefined {
    return this.#transfers.get(key);
  }

  /** The oldest first. */
  snapshots(): Pull[] {
    return [...this.#pulls].map((progress) => progress.snapshot());
  }
}
