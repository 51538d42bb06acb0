/**
 * The engine contract: what a face (CRI, CLI) may ask of an engine (native or Docker). CRI messages are the
 * domain types; gRPC calls and status codes are unknown here. Failures are GantryErrors.
 *
 * Vocabulary. A *pod* is what CRI calls a pod sandbox. Ids are 64 hex digits; every `id` parameter also accepts a unique
 * prefix of one, and an ambiguous prefix is invalid-argument. An unknown id is not-found unless a method says otherwise.
 *
 * Rules for every method:
 * - The same call repeated joins the one in flight or gets the finished result (the kubelet retries).
 * - Lists, statuses and stats answer from memory and small local reads; they never wait for another call's work.
 * - What `pods.list` and `containers.list` return is never changed: the same object again means the same content, so that a face
 *   may keep what it made of it.
 * - A cancelled `ctx.signal` ends the waiting, never leaves work half done: what began is completed or undone.
 */
import type {
  Container, ContainerConfig, ContainerFilter, ContainerStats, ContainerStatsFilter, ContainerStatus,
  FilesystemUsage, Image, ImageFilter, ImageSpec, LinuxContainerResources, AuthConfig, PodSandbox, PodSandboxConfig, PodSandboxFilter,
  PodSandboxStats, PodSandboxStatsFilter, PodSandboxStatus, RuntimeConfigResponse, RuntimeHandler, RuntimeFeatures, RuntimeStatus,
} from '../gen/cri.ts';
import type { AdoptedImage, ClearedLeak, DiskUsageResponse, Leak, ListLeaksResponse, Pull } from '../gen/admin.ts';
import type { Logger } from '../base/log.ts';
import type { Stages } from '../base/stages.ts';
import type { StreamEngine } from './stream-engine.ts';

/** What every call carries down. */
export interface CallContext {
  /** Request id, in every log line of the call. */
  readonly id: string;
  /** Aborted when the caller went away or its deadline passed. */
  readonly signal: AbortSignal;
  readonly stages: Stages;
  readonly log: Logger;
}

/** Extra facts for `verbose` statuses: each value is JSON text or plain text (CRI `info` maps). */
export type VerboseInfo = Record<string, string>;

export interface PodEngine {
  /**
   * Makes a pod READY: namespaces, network, cgroup. Returns its id. The natural key is (namespace, name, uid, attempt): the
   * same key again returns the same pod while it is READY. Unknown `runtimeHandler`: invalid-argument.
   */
  run(request: { config: PodSandboxConfig; runtimeHandler: string }, ctx: CallContext): Promise<string>;
  /** Kills what runs in the pod, takes its network away; NOTREADY after. An unknown or stopped pod is success. */
  stop(id: string, ctx: CallContext): Promise<void>;
  /** Stops if need be and removes the pod, its containers and all that belonged to it. An unknown pod is success. */
  remove(id: string, ctx: CallContext): Promise<void>;
  status(id: string, verbose: boolean): Promise<{ status: PodSandboxStatus; info: VerboseInfo; containers: ContainerStatus[] }>;
  list(filter: PodSandboxFilter | undefined): Promise<PodSandbox[]>;
  /** Tells what a READY pod (else failed-precondition) was resized to; its cgroup is the business of whoever made it. */
  updateResources(id: string, change: PodResourceChange, ctx: CallContext): Promise<void>;
  stats(id: string): Promise<PodSandboxStats>;
  listStats(filter: PodSandboxStatsFilter | undefined): Promise<PodSandboxStats[]>;
}

/** What a pod as a whole was resized to; undefined is as it was. */
export interface PodResourceChange {
  readonly overhead: LinuxContainerResources | undefined;
  readonly resources: LinuxContainerResources | undefined;
}

export interface ExecResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

/** New limits of a container. */
export interface ResourceChange {
  /** Zero and empty mean "as it is". */
  readonly linux: LinuxContainerResources;
  /** Opaque words of whoever asks: kept, and told in the verbose status. */
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerEngine {
  /** Makes a container CREATED in a READY pod (else failed-precondition). Natural key: (pod, name, attempt). */
  create(request: { podId: string; config: ContainerConfig; podConfig: PodSandboxConfig | undefined }, ctx: CallContext): Promise<string>;
  /** CREATED to RUNNING; RUNNING already is the same call again and success, any other state failed-precondition. */
  start(id: string, ctx: CallContext): Promise<void>;
  /** Stop signal, grace of `timeoutSeconds` (0: kill at once), then SIGKILL. Exited or unknown: success. */
  stop(id: string, timeoutSeconds: number, ctx: CallContext): Promise<void>;
  /** Removes in any state, killing first. Unknown: success. */
  remove(id: string, ctx: CallContext): Promise<void>;
  status(id: string, verbose: boolean): Promise<{ status: ContainerStatus; info: VerboseInfo }>;
  list(filter: ContainerFilter | undefined): Promise<Container[]>;
  /** Changes the limits that are named, all or none; status echoes them. Exited, or memory in use above its new limit: failed-precondition. */
  updateResources(id: string, change: ResourceChange, ctx: CallContext): Promise<void>;
  /** Starts a new log file at the container's log path (after a rotation). Not running: failed-precondition. */
  reopenLog(id: string, ctx: CallContext): Promise<void>;
  /**
   * Runs a command to its end and returns what it wrote, at most 16 MiB a stream (the rest is thrown away).
   * `timeoutSeconds` 0 is no limit; when it passes, the command's whole process tree is killed: deadline-exceeded.
   */
  execSync(id: string, command: readonly string[], timeoutSeconds: number, ctx: CallContext): Promise<ExecResult>;
  stats(id: string): Promise<ContainerStats>;
  listStats(filter: ContainerStatsFilter | undefined): Promise<ContainerStats[]>;
}

export interface ImageEngine {
  /** Pulls what the reference names now and returns the image id. Concurrent pulls of one reference share one. */
  pull(request: { image: ImageSpec; auth: AuthConfig | undefined; podConfig: PodSandboxConfig | undefined }, ctx: CallContext): Promise<string>;
  list(filter: ImageFilter | undefined): Promise<Image[]>;
  /** Undefined when no such image is here. */
  status(image: ImageSpec, verbose: boolean): Promise<{ image: Image; info: VerboseInfo } | undefined>;
  /** Removes the image with all its tags and digests. Absent: success. In use by a container: failed-precondition. */
  remove(image: ImageSpec, ctx: CallContext): Promise<void>;
  /**
   * Takes in every image of an archive (docker-archive, OCI layout as a tar; compressed or not) and reports them in the archive's order. Each is loaded
   * wholly or not at all, and takes its names over from images that have them. `bytes` is read once, to its end or the first failure.
   */
  load(bytes: AsyncIterable<Uint8Array>, options: LoadOptions, ctx: CallContext): Promise<LoadedImage[]>;
  /**
   * Takes over the images of another runtime on this node, where they lie; yields one answer for each. An image that cannot be had does not hold up the
   * others; a store that cannot be read, and a full disk, end it all. What is here already is left as it is, so that it may be called again.
   */
  adopt(source: ImageSource, ctx: CallContext): AsyncIterable<AdoptedImage>;
  /** The images as one archive; an unknown one is not-found. An error midway makes what came before it worthless. */
  save(names: readonly string[], format: ArchiveFormat, ctx: CallContext): AsyncIterable<Uint8Array>;
  /** Gives the image `source` one more name with a tag, which another image may lose by it. */
  tag(source: string, target: string): Promise<void>;
  /** Takes one name away; the image goes with its last name, or when it is named by its id. Unknown: not-found. In use and to go: failed-precondition. */
  untag(name: string): Promise<UntaggedImage>;
  fsInfo(): Promise<{ images: FilesystemUsage[]; containers: FilesystemUsage[] }>;
  /** The pulls in flight as they are now, the oldest first. A pull that several callers wait for is one. */
  pulls(): Promise<Pull[]>;
  /** What takes which place on the disk, from records and counters. */
  diskUsage(): Promise<DiskUsageResponse>;
}

/** docker-archive: `docker save`'s format; oci-archive: a tar of an OCI image layout. Layers are uncompressed in both. */
export const archiveFormats = ['docker-archive', 'oci-archive'] as const;
export type ArchiveFormat = (typeof archiveFormats)[number];

/** The runtimes whose images can be adopted. */
export const adoptableRuntimes = ['docker', 'containerd'] as const;

/** Another runtime's images. */
export interface ImageSource {
  readonly from: (typeof adoptableRuntimes)[number];
  /** Its data root. */
  readonly root: string;
  /** Of containerd. */
  readonly namespace: string;
  /** Looks, and changes nothing. */
  readonly dryRun: boolean;
}

export interface LoadOptions {
  /** What the archive's only image is to be called, instead of what the archive calls it. */
  readonly name?: string;
}

export interface LoadedImage {
  readonly id: string;
  /** The complete names that the archive, or the caller, gives it; none for an image that is known by its id only. */
  readonly names: readonly string[];
}

export interface UntaggedImage {
  readonly id: string;
  /** Whether the image itself is gone. */
  readonly removed: boolean;
  /** The names that are gone. */
  readonly names: readonly string[];
}

export interface NodeEngine {
  /** Conditions RuntimeReady and NetworkReady, handlers and features: what this node can really do. */
  status(verbose: boolean): Promise<{ status: RuntimeStatus; handlers: RuntimeHandler[]; features: RuntimeFeatures; info: VerboseInfo }>;
  runtimeConfig(): Promise<RuntimeConfigResponse>;
  /** The pod CIDR(s) that the kubelet learnt, comma-separated; empty is ignored. */
  updatePodCidr(podCidr: string, ctx: CallContext): Promise<void>;
  /** What the host holds of this engine's that nobody owns, found by a look around that changes nothing, and what is still being undone. */
  leaks(): Promise<ListLeaksResponse>;
  /** Takes away those of these leaks that still are some, and says of each whether it is gone. */
  clearLeaks(leaks: readonly Leak[], ctx: CallContext): Promise<ClearedLeak[]>;
}

/**
 * Containers and pods written down while they run, and made again of what was written. Who asks for what cannot be captured, or for
 * anything where CRIU or an OCI runtime that knows it is missing, is told which piece: failed-precondition.
 */
export interface CheckpointEngine {
  /**
   * Writes a running container (else failed-precondition) to an archive at `location`, and lets it go on. `timeoutSeconds` 0 is ten minutes; when it passes: deadline-exceeded.
   * After a failure there is no archive. `containers.create` takes the path of an archive in place of an image.
   */
  container(id: string, request: { location: string; timeoutSeconds: number }, ctx: CallContext): Promise<void>;
  /** Writes running containers of a pod, as they are at one moment, into an empty directory. All of them go on when it ends, however it ends. */
  pod(request: PodCheckpointRequest, ctx: CallContext): Promise<void>;
  /** Makes a pod and its containers, CREATED: their starts restore them. After a failure nothing of it is left. */
  restorePod(request: PodRestoreRequest, ctx: CallContext): Promise<RestoredPod>;
}

export interface PodCheckpointRequest {
  readonly podId: string;
  /** Exists, and is empty. */
  readonly outputPath: string;
  readonly containerIds: readonly string[];
  /** This engine knows none: any is invalid-argument. */
  readonly options: Readonly<Record<string, string>>;
}

export interface PodRestoreRequest {
  readonly checkpointPath: string;
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
  readonly options: Readonly<Record<string, string>>;
  /** One for each container of the checkpoint, by name: what it is to be mounted, to be called and to be allowed. */
  readonly containerConfigs: readonly ContainerConfig[];
}

export interface RestoredPod {
  readonly podId: string;
  readonly containers: readonly { readonly name: string; readonly id: string }[];
}

/** An engine, split by caller. */
export interface Engine {
  /** What Version tells, and what stands in front of container ids in Kubernetes: `docker://…` is an id that the Docker Engine knows. */
  readonly name: 'gantry' | 'docker';
  readonly pods: PodEngine;
  readonly containers: ContainerEngine;
  readonly images: ImageEngine;
  readonly node: NodeEngine;
  readonly streams: StreamEngine;
  /** Absent where an engine has none. */
  readonly checkpoints?: CheckpointEngine;
}
