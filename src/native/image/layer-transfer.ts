/** The figures of one layer on its way. All pulls that wait for the same download have the same one. */
import { LayerPhase } from '../../gen/admin.ts';
import type { PullLayer } from '../../gen/admin.ts';
import type { BlobSource } from '../../part/registry/download-blob.ts';
import type { Descriptor } from '../../part/registry/manifest.ts';
import { TransferRate } from './transfer-rate.ts';

export class LayerTransfer {
  readonly #blob: Descriptor;
  #received = 0;
  #host = '';
  #ended = false;
  /** From the first byte asked for on. */
  #rate: TransferRate | undefined;

  constructor(blob: Descriptor) {
    this.#blob = blob;
  }

  get received(): number {
    return this.#received;
  }

  /** So many bytes are here from an earlier pull; the rest comes now. */
  beginsAt(bytes: number): void {
    this.#received = bytes;
    this.#rate ??= new TransferRate(performance.now());
  }

  /** A host sends, from now on: the first, or the next when the download broke off. */
  opened(host: string): void {
    this.#host = host;
    this.#rate ??= new TransferRate(performance.now());
  }

  arrived(bytes: number): void {
    this.#received += bytes;
    this.#rate?.add(bytes, performance.now());
  }

  /** The layer is stored. */
  ended(): void {
    this.#ended = true;
  }

  get phase(): LayerPhase {
    if (this.#rate === undefined) return this.#ended ? LayerPhase.LAYER_HERE_ALREADY : LayerPhase.LAYER_WAITING;
    if (this.#ended) return LayerPhase.LAYER_DONE;
    return this.#received < this.#blob.size ? LayerPhase.LAYER_DOWNLOADING : LayerPhase.LAYER_UNPACKING;
  }

  snapshot(): PullLayer {
    const { phase } = this;
    const perSecond = phase === LayerPhase.LAYER_DOWNLOADING ? this.#rate?.perSecond(performance.now()) ?? 0 : 0;
    return {
      digest: this.#blob.digest, phase, host: this.#host,
      bytesWanted: BigInt(this.#blob.size), bytesReceived: BigInt(this.#received), bytesPerSecond: BigInt(perSecond),
    };
  }
}

/** A source whose bytes are counted as they come. */
export function countedBy(transfer: LayerTransfer, source: BlobSource): BlobSource {
  return {
    host: source.host,
    patience: source.patience,
    async openBlob(blob, offset, signal) {
      const opened = await source.openBlob(blob, offset, signal);
      transfer.opened(opened.host);
      return opened;
    },
    brokeOff: (digest) => source.brokeOff?.(digest),
    arrived: (bytes) => transfer.arrived(bytes),
  };
}
