/** The layers of an image that are not here yet: downloaded and unpacked, several at a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Digest } from '../../base/digest.ts';
import { failure } from '../../base/errors.ts';
import type { ImageDocument } from '../../part/content/image-document.ts';
import { downloadBlob } from '../../part/registry/download-blob.ts';
import type { Descriptor, ImageManifest } from '../../part/registry/manifest.ts';
import type { RegistrySources } from '../../part/registry/registry-sources.ts';
import type { ImageDeps } from './image-deps.ts';
import { inLanes } from './in-lanes.ts';
import { countedBy, LayerTransfer } from './layer-transfer.ts';
import type { PullProgress } from './pull-progress.ts';

export interface ImageLayer {
  readonly blob: Descriptor;
  readonly diffId: Digest;
}

/** The manifest's blobs with the configuration's diff ids, each layer once. Counts that differ: failed-precondition. */
export function pairLayers(manifest: ImageManifest, document: ImageDocument): ImageLayer[] {
  const { diffIds } = document;
  if (manifest.layers.length !== diffIds.length) {
    throw failure('failed-precondition', { act: 'read image', object: manifest.config.digest, why: `its manifest has ${manifest.layers.length} layers, its configuration ${diffIds.length}` });
  }
  const layers = new Map<Digest, ImageLayer>();
  for (const [i, blob] of manifest.layers.entries()) {
    const diffId = diffIds[i];
    if (diffId !== undefined) layers.set(diffId, { blob, diffId });
  }
  return [...layers.values()];
}

export interface LayersRequest {
  readonly sources: RegistrySources;
  readonly layers: readonly ImageLayer[];
  readonly progress: PullProgress;
  readonly signal: AbortSignal;
}

/** Resolves when every layer is stored. At the first failure the other downloads are stopped; whole layers are kept for the retry. */
export async function fetchLayers(deps: ImageDeps, request: LayersRequest): Promise<void> {
  // The largest first: the others fit in beside it.
  const isHere = (layer: ImageLayer): boolean => deps.layers.get(layer.diffId) !== undefined;
  request.progress.layersAre(request.layers, isHere);
  const queue = request.layers.filter((layer) => !isHere(layer)).sort((a, b) => b.blob.size - a.blob.size);
  const together = new Together(queue.length);
  const storing: Promise<void>[] = [];
  try {
    await inLanes(queue, { lanes: deps.layersAtOnce, signal: request.signal }, async (layer, signal) => {
      // While a layer waits for the disk its lane goes on with the next.
      const isUnpacked = Promise.withResolvers<void>();
      const unpacked = once(() => {
        isUnpacked.resolve();
        return together.arrive(signal);
      });
      const stored = fetchLayer(deps, layer, { ...request, signal, unpacked });
      storing.push(stored);
      stored.then(unpacked, () => {}); // another pull may have unpacked it
      await Promise.race([isUnpacked.promise, stored]);
    });
    await Promise.all(storing);
  } finally {
    await Promise.allSettled(storing);
  }
}

/** Layers of a pull are synced together when all are unpacked, but none waits longer than this: what is not synced is lost with the daemon. */
const longestUnsyncedMs = 3_000;

class Together {
  readonly #all = Promise.withResolvers<void>();
  #missing: number;

  constructor(count: number) {
    this.#missing = count;
  }

  /** One more is there; resolves when all are, or at the end of patience, or when the pull is given up. */
  async arrive(signal: AbortSignal): Promise<void> {
    if (--this.#missing <= 0) return this.#all.resolve();
    const stop = new AbortController();
    const late = sleep(longestUnsyncedMs, undefined, { signal: AbortSignal.any([signal, stop.signal]) }).catch(() => {});
    await Promise.race([this.#all.promise, late]);
    stop.abort();
  }
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => (running ??= work());
}

// Downloads are shared within a registry only: a registry that is slow, or lies, holds up nobody but those who chose it.
async function fetchLayer(deps: ImageDeps, { blob, diffId }: ImageLayer, { sources, progress, signal, unpacked }: LayersRequest & { unpacked: () => Promise<void> }): Promise<void> {
  const key = `${sources.host} ${blob.digest} ${diffId}`;
  await sources.verified(blob.digest, signal, async () => {
    const stored = deps.downloads.run(key, signal, async (workSignal) => {
      const transfer = new LayerTransfer(blob);
      const open = (openSignal: AbortSignal, from: number): AsyncIterable<Uint8Array> => {
        transfer.beginsAt(from);
        return downloadBlob(countedBy(transfer, sources), blob, openSignal, from);
      };
      return await deps.inFlight.transferring(key, transfer, () =>
        deps.layers.add({ expected: { blob: blob.digest, size: blob.size, diffId }, resumes: true, open, signal: workSignal, unpacked }));
    });
    progress.follow(diffId, deps.inFlight.transfer(key)); // ours, or that of the pull which began it
    return await stored;
  });
}
