/** The native ImageEngine: builds the parts and answers the calls; each call's work is in a file of its own. */
import { join } from 'node:path';
import type { Logger } from '../../base/log.ts';
import type { ImageEngine } from '../../engine/engine.ts';
import type { ContainerUsage } from '../../gen/admin.ts';
import type { FilesystemUsage } from '../../gen/cri.ts';
import { ContentStore } from '../../part/content/content-store.ts';
import { LayerStore } from '../../part/layer/layer-store.ts';
import type { LayerRecord } from '../../part/layer/layer-store.ts';
import { defaultUnpackLimits } from '../../part/layer/unpack-limits.ts';
import type { UnpackLimits } from '../../part/layer/unpack-limits.ts';
import { UnpackPool } from '../../part/layer/unpack-pool.ts';
import { HostHealth } from '../../part/registry/host-health.ts';
import { usualPatience } from '../../part/registry/pace.ts';
import type { Patience } from '../../part/registry/pace.ts';
import { hostPlatform } from '../../part/registry/platform.ts';
import type { Platform } from '../../part/registry/platform.ts';
import type { RegistryFiles } from '../../part/registry/pull-plan.ts';
import type { Arrear, Debts } from '../../part/store/debts.ts';
import type { Store } from '../../part/store/store.ts';
import type { TrustFiles } from './check-policy.ts';
import { adoptImages } from './adopt-images.ts';
import { diskUsage } from './disk-usage.ts';
import { fsInfo } from './fs-info.ts';
import { Holds } from './holds.ts';
import { createImageCatalog } from './image-catalog.ts';
import type { ImageCatalog } from './image-catalog.ts';
import type { ImageDeps } from './image-deps.ts';
import { ImageRecords } from './image-records.ts';
import type { ImageRecord } from './image-records.ts';
import { imageArrears } from './image-arrears.ts';
import { imageInfo, toCriImage } from './image-status.ts';
import { loadImages } from './load-image.ts';
import { pullImage } from './pull-image.ts';
import { PullsInFlight } from './pull-progress.ts';
import { recoverImages } from './recover-images.ts';
import { removeImage, sweepUnneeded } from './remove-image.ts';
import { saveImages } from './save-image.ts';
import { SharedWork } from '../../base/shared-work.ts';
import { tagImage, untagImage } from './tag-image.ts';

export interface ImageEngineOptions {
  /** The daemon's root directory; `layers`, `outlines`, `staging`, `partial` and `content` below it are this engine's. */
  readonly root: string;
  readonly store: Store;
  readonly log: Logger;
  /** Names the containers of an image, for refusing its removal. */
  readonly usedBy: (imageId: string) => readonly string[];
  readonly containerFilesystems: () => Promise<FilesystemUsage[]>;
  /** The containers' writable layers for `gantry df`; by default none. */
  readonly containerUsages?: () => ContainerUsage[];
  /** What administrators say about registries, read at every pull; by default nothing. */
  readonly registryFiles?: RegistryFiles;
  /** Whose images are taken, read at every pull; by default everybody's. */
  readonly trustFiles?: TrustFiles;
  readonly platform?: Platform;
  /** Names and patterns of the images that the kubelet keeps, as configured now. */
  readonly pinned?: () => readonly string[];
  readonly patience?: Patience;
  readonly unpackLimits?: UnpackLimits;
  /** Layers of one pull that are downloaded at the same time. */
  readonly layersAtOnce?: number;
}

export interface NativeImageEngine extends ImageEngine, ImageCatalog {
  /** To be called once, before any pull. */
  recover(): Promise<void>;
  /** Names of the layer directories that are stored, in the making or being removed. */
  layerNames(): ReadonlySet<string>;
  /** What could not be taken away of layers, for the background. */
  arrears(debts: Debts): Iterable<Arrear>;
  /** Ends the worker threads and timers. Pulls in flight fail and are undone at the next start. */
  close(): Promise<void>;
}

/** Layers of a failed pull stay this long for the kubelet's retry, which comes within five minutes. */
const keepForRetryMs = 15 * 60_000;

export function createImageEngine(options: ImageEngineOptions): NativeImageEngine {
  const pool = new UnpackPool();
  const deps = buildDeps(options, pool);
  let sweep: NodeJS.Timeout | undefined;
  const sweepLater = (): void => {
    clearTimeout(sweep);
    sweep = setTimeout(() => {
      sweepUnneeded(deps).catch((error: unknown) => deps.log.warn('sweeping unneeded layers failed', { error: String(error) }));
      if (deps.layers.partials.all().length > 0) sweepLater(); // they are kept longer
    }, keepForRetryMs).unref();
  };
  return {
    ...createImageCatalog(deps),
    async pull(request, ctx) {
      try {
        return await pullImage(deps, request, ctx);
      } catch (error) {
        sweepLater();
        throw error;
      }
    },
    async list(filter) {
      const name = filter?.image?.image ?? '';
      if (name === '') return deps.records.all().map((record) => toCriImage(deps, record));
      const record = deps.records.find(name);
      return record === undefined ? [] : [toCriImage(deps, record)];
    },
    async status(image, verbose) {
      const record = deps.records.find(image.image);
      if (record === undefined) return undefined;
      return { image: toCriImage(deps, record), info: verbose ? await imageInfo(deps, record) : {} };
    },
    remove: async (image) => await removeImage(deps, image.image),
    load: async (bytes, loadOptions, ctx) => await loadImages(deps, bytes, loadOptions, ctx),
    adopt: (source, ctx) => adoptImages(deps, source, ctx),
    save: (names, format, ctx) => saveImages(deps, names, format, ctx),
    tag: async (source, target) => tagImage(deps, source, target),
    untag: async (name) => await untagImage(deps, name),
    fsInfo: async () => await fsInfo(deps),
    pulls: async () => deps.inFlight.snapshots(),
    diskUsage: async () => await diskUsage(deps),
    async recover() {
      await recoverImages(deps);
      if (deps.layers.partials.all().length > 0) sweepLater();
    },
    arrears: (debts) => imageArrears(deps.layers, debts),
    layerNames: () => deps.layers.namesInUse(),
    async close() {
      clearTimeout(sweep);
      await pool.close();
    },
  };
}

function buildDeps(options: ImageEngineOptions, pool: UnpackPool): ImageDeps {
  const { root, store, unpackLimits = defaultUnpackLimits } = options;
  const journal = { records: store.table<LayerRecord>('layer'), ledger: store.ledger, transaction: <T>(fn: () => T): T => store.transaction(fn) };
  return {
    root,
    log: options.log,
    store,
    records: new ImageRecords(store.table<ImageRecord>('image')),
    layers: new LayerStore({ root, journal, pool, limits: unpackLimits }),
    content: new ContentStore(root),
    spoolDirectory: join(root, 'staging'), // the layer store has made it
    unpackLimits,
    platform: options.platform ?? hostPlatform(),
    registryFiles: options.registryFiles ?? {},
    trustFiles: options.trustFiles,
    hostHealth: new HostHealth(),
    patience: options.patience ?? usualPatience,
    pinned: options.pinned ?? (() => []),
    layersAtOnce: options.layersAtOnce ?? 3,
    usedBy: options.usedBy,
    containerFilesystems: options.containerFilesystems,
    containerUsages: options.containerUsages ?? (() => []),
    holds: new Holds(),
    heldImages: new Map(),
    pulls: new SharedWork(),
    downloads: new SharedWork(),
    inFlight: new PullsInFlight(),
  };
}
