/** The parts that the container recipes are made of; main builds them. */
import type { KeyedLock } from '../../base/keyed-lock.ts';
import type { Logger } from '../../base/log.ts';
import type { ObjectIds } from '../../base/object-id.ts';
import type { SingleFlight } from '../../base/single-flight.ts';
import type { AppArmor } from '../../part/lsm/apparmor.ts';
import type { SelinuxContexts } from '../../part/lsm/selinux-contexts.ts';
import type { PathResolver } from '../../host/path-resolver.ts';
import type { ProjectQuotas } from '../../host/project-quota.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import type { Snapshotters } from '../../part/snapshot/choose-snapshotter.ts';
import type { Effects } from '../../part/store/effects.ts';
import type { Table } from '../../part/store/store.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';
import type { CdiDevices } from '../../part/cdi/cdi-devices.ts';
import type { HookFolders } from '../../part/hooks/hook-folders.ts';
import type { Criu } from '../../part/checkpoint/criu.ts';
import type { UnpackPool } from '../../part/layer/unpack-pool.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import type { Probed } from '../../part/oci/probe-cache.ts';
import type { ExitWatch } from '../../part/oci/exit-watch.ts';
import type { Cgroups } from '../../part/cgroup/cgroups.ts';
import type { ImageCatalog } from '../image/image-catalog.ts';
import type { ContainerRecord } from './container-record.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Creations } from './creations.ts';
import type { ExitSignals } from './exit-signals.ts';
import type { NodeDefaults } from './node-defaults.ts';
import type { PodPlace } from './pod-place.ts';
import type { UsageMeter } from '../../host/usage-meter.ts';

export interface VolumeSettings {
  readonly createMissingHostPaths: boolean;
  /** What becomes of the volumes that an image declares. */
  readonly imageVolumes: 'bind' | 'mkdir' | 'ignore';
}

export interface ContainerDeps {
  readonly log: Logger;
  readonly roots: { readonly root: string; readonly state: string };
  readonly records: Table<ContainerRecord>;
  readonly ids: ObjectIds;
  readonly effects: Effects;
  readonly images: ImageCatalog;
  readonly snapshotters: Snapshotters;
  /** Finds what the kubelet wants mounted. */
  readonly paths: PathResolver;
  /** As they are in the configuration in force. */
  readonly volumeSettings: () => VolumeSettings;
  /** Whether the OCI runtime behind a handler knows the mount option `rro`. */
  readonly recursiveReadOnly: (handler: string) => Promise<boolean>;
  readonly handlers: RuntimeHandlers;
  readonly hostFacts: HostFacts;
  /** Those of the configuration in force: a reload changes them. */
  readonly defaults: () => NodeDefaults;
  /** Undefined on a node without AppArmor, or with it switched off. */
  readonly apparmor: AppArmor | undefined;
  /** The policy's contexts for containers. Undefined on a node without SELinux, or with it switched off. */
  readonly selinux: SelinuxContexts | undefined;
  readonly bootId: string;
  /** Where the classes of block I/O are defined. It may be missing. */
  readonly blockIoFile: string;
  readonly conmonPath: string;
  /** Where conmon puts exit files. */
  readonly exitDir: string;
  readonly exitWatch: ExitWatch;
  readonly cgroups: Cgroups;
  readonly cdi: CdiDevices;
  readonly hooks: HookFolders;
  /** The pods that containers live in. */
  readonly pods: { get(id: string): PodPlace | undefined; all(): PodPlace[] };
  /** CreateContainer calls in flight, by natural key. */
  readonly creating: SingleFlight<string>;
  readonly making: Creations;
  readonly starting: SingleFlight<void>;
  readonly removing: SingleFlight<void>;
  readonly checkpoints: Checkpoints;
  /** Whether an image may be a checkpoint, by the configuration in force. */
  readonly restoresImages: () => boolean;
  readonly criu: Pick<Criu, 'state'>;
  /** What an OCI runtime can do. */
  readonly probe: (runtime: OciRuntime) => Promise<Probed>;
  /** Unpacks what comes in archives, confined. */
  readonly unpackers: UnpackPool;
  /** Two undos of one container never overlap: its end and its removal may come at the same time. */
  readonly locks: KeyedLock;
  readonly exits: ExitSignals;
  readonly usage: UsageMeter;
  /** Those of the filesystem that writable layers lie on; undefined where it counts none. */
  readonly projects: ProjectQuotas | undefined;
  /** Containers that a stop or removal has sent SIGKILL: exit code 137 is then no sign of an out-of-memory kill. */
  readonly killedByUs: Set<string>;
}
