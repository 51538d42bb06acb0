/** What the image recipes work with; createImageEngine builds it. */
import type { Logger } from '../../base/log.ts';
import type { ContentStore } from '../../part/content/content-store.ts';
import type { LayerRecord, LayerStore } from '../../part/layer/layer-store.ts';
import type { UnpackLimits } from '../../part/layer/unpack-limits.ts';
import type { HostHealth } from '../../part/registry/host-health.ts';
import type { Patience } from '../../part/registry/pace.ts';
import type { Platform } from '../../part/registry/platform.ts';
import type { RegistryFiles } from '../../part/registry/pull-plan.ts';
import type { Store } from '../../part/store/store.ts';
import type { ContainerUsage } from '../../gen/admin.ts';
import type { FilesystemUsage } from '../../gen/cri.ts';
import type { TrustFiles } from './check-policy.ts';
import type { Holds } from './holds.ts';
import type { ImageRecords } from './image-records.ts';
import type { PullsInFlight } from './pull-progress.ts';
import type { SharedWork } from '../../base/shared-work.ts';

export interface ImageDeps {
  /** The daemon's root directory. */
  readonly root: string;
  readonly log: Logger;
  readonly store: Store;
  readonly records: ImageRecords;
  readonly layers: LayerStore;
  readonly content: ContentStore;
  /** Where archives are kept while they are loaded, on the filesystem of the layers. */
  readonly spoolDirectory: string;
  /** What a layer, or an archive, may cost. */
  readonly unpackLimits: UnpackLimits;
  readonly platform: Platform;
  /** What administrators say about registries, read at every pull. */
  readonly registryFiles: RegistryFiles;
  /** Whose images are taken; undefined: everybody's. */
  readonly trustFiles: TrustFiles | undefined;
  readonly hostHealth: HostHealth;
  readonly patience: Patience;
  /** Names and patterns of the images that the kubelet keeps, as configured now. */
  readonly pinned: () => readonly string[];
  /** Layers of one pull that are downloaded at the same time. */
  readonly layersAtOnce: number;
  /** Names the containers of an image. */
  readonly usedBy: (imageId: string) => readonly string[];
  /** The filesystems of the containers' writable layers. */
  readonly containerFilesystems: () => Promise<FilesystemUsage[]>;
  /** The containers' writable layers, one by one. */
  readonly containerUsages: () => ContainerUsage[];
  readonly holds: Holds;
  /** Images that a container is being made from or will mount, by the container's id. */
  readonly heldImages: Map<string, Set<string>>;
  /** Pulls in flight, by reference and credentials. */
  readonly pulls: SharedWork<string>;
  /** Layer downloads in flight, by registry, blob and diff id. */
  readonly downloads: SharedWork<LayerRecord>;
  /** How far both are. */
  readonly inFlight: PullsInFlight;
}
