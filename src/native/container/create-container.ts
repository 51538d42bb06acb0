import { failure } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import { announcedPod } from '../../part/spec/announced-pod.ts';
import { sameConfig } from '../../part/spec/same-config.ts';
import { checkContainerConfig } from '../../part/spec/check-container-config.ts';
import { effectiveStopSignal } from '../../part/spec/effective-stop-signal.ts';
import { resourcesInForce, withCpuOf } from '../../part/spec/resource-change.ts';
import { containerUser } from '../../part/spec/resolve-user.ts';
import { buildSpec } from './build-spec.ts';
import type { BuiltSpec } from './build-spec.ts';
import { checkSandboxed } from './check-sandboxed.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerKey } from './container-record.ts';
import type { ContainerRecord } from './container-record.ts';
import { stateWord } from './container-state.ts';
import { createInRuntime } from './create-in-runtime.ts';
import type { CreatedProcesses } from './create-in-runtime.ts';
import { duringOnce } from './during-once.ts';
import { logPathOf } from '../../part/spec/log-path.ts';
import type { PodPlace } from './pod-place.ts';
import { relabelVolumes } from './relabel-volumes.ts';
import { checkCheckpointSupport } from './checkpoint-support.ts';
import { checkRestorable } from './check-restorable.ts';
import { checkImage, imageOfCheckpoint, refuseImage } from './checkpoint-image.ts';
import { checkpointSource, openCheckpoint, restoreRootChanges } from './open-checkpoint.ts';
import type { CheckpointSource } from './open-checkpoint.ts';
import { prepareRestore } from './restore-in-runtime.ts';
import { noProcess } from '../../part/oci/process-ref.ts';
import { prepareRootfs } from './prepare-rootfs.ts';
import type { MadeRoot } from './prepare-rootfs.ts';
import { watchContainer } from './watch-container.ts';
import { resolveImage } from './resolve-image.ts';
import { resolveVolumes } from './resolve-volumes.ts';
import type { ResolvedVolumes } from './resolve-volumes.ts';
import type { ResolvedImage } from '../image/image-catalog.ts';

/** What the steps of one creation share. */
export interface ContainerInTheMaking {
  readonly id: string;
  readonly pod: PodPlace;
  readonly config: ContainerConfig;
  readonly image: ResolvedImage;
}

export interface CreateRequest {
  readonly podId: string;
  readonly config: ContainerConfig;
  /** What the caller takes the pod for. What it is was said when it was run, but for whether it may have privileged containers. */
  readonly podConfig: PodSandboxConfig | undefined;
  /** It is to be made of this checkpoint, whose very process the config describes, image and all. */
  readonly checkpoint?: CheckpointSource;
}

/**
 * Makes a container CREATED. Each step puts its effect on record before making it, so a failure here, or the recovery after a
 * crash, undoes all of them; only `record` makes the container known.
 */
export async function createContainer(deps: ContainerDeps, request: CreateRequest, ctx: CallContext): Promise<string> {
  const { config } = request;
  const found = readyPod(deps, request.podId);
  const pod: PodPlace = { ...found, config: announcedPod(found.config, request.podConfig) };
  checkContainerConfig(config, pod.config);
  checkSandboxed(deps.handlers.find(pod.handler), config);
  const logPath = logPathOf(pod.config, config);
  let joined = true;
  const id = await deps.creating.run(containerKey(pod.id, config), async () => {
    joined = false;
    const same = findSame(deps, pod, config);
    if (same !== undefined) return same.id;
    const newId = deps.ids.make();
    return await deps.making.run({ id: newId, podId: pod.id }, async (signal) => {
      try {
        await make(deps, { id: newId, pod, config, logPath, signal, checkpoint: request.checkpoint }, ctx);
        return newId;
      } catch (error) {
        await deps.effects.rollback(newId);
        throw duringOnce(signal.aborted ? notReady(pod) : error, { act: 'create container', object: `${config.metadata?.name ?? ''} in pod ${podLabel(pod)}` });
      } finally {
        deps.images.release(newId);
      }
    });
  });
  const made = deps.records.get(id);
  if (joined && made !== undefined && !sameConfig(made.config, config)) throw taken(made);
  return id;
}

interface CreationRequest {
  readonly id: string;
  readonly pod: PodPlace;
  readonly config: ContainerConfig;
  readonly logPath: string;
  /** Aborted when the pod is stopped. */
  readonly signal: AbortSignal;
  readonly checkpoint: CheckpointSource | undefined;
}

async function make(deps: ContainerDeps, { id, pod, config, logPath, signal, checkpoint: described }: CreationRequest, ctx: CallContext): Promise<void> {
  const source = described ?? checkpointSource(deps, config);
  if (source !== undefined) return await makeRestored(deps, { id, pod, config, logPath, signal, checkpoint: described }, { source, ctx });
  const image = await ctx.stages.run('image', () => resolveImage(deps, id, config));
  const container: ContainerInTheMaking = { id, pod, config, image };
  const root = await ctx.stages.run('rootfs', () => prepareRootfs(deps, container, { signal }));
  const volumes = await ctx.stages.run('volumes', () => resolveVolumes(deps, container, signal));
  const built = await ctx.stages.run('spec', () => buildSpec(deps, container, volumes.sources));
  await ctx.stages.run('relabel', () => relabelVolumes(deps, container, { sources: volumes.sources.mounts, signal }));
  const process = await ctx.stages.run('runtime create', () => createInRuntime(deps, container, { built, logPath, signal }));
  await ctx.stages.run('record', () => record(deps, container, { root, built, volumes, logPath, process }));
}

/** As `make`, of a checkpoint. The runtime is told of it at the container's start: until then it has no process. */
async function makeRestored(deps: ContainerDeps, { id, pod, config, logPath, signal, checkpoint: described }: CreationRequest, { source, ctx }: { source: CheckpointSource; ctx: CallContext }): Promise<void> {
  await checkCheckpointSupport(deps, pod, { act: 'restore container', object: config.metadata?.name ?? '' });
  refuseImage(deps, source);
  const opened = await ctx.stages.run('checkpoint', () => openCheckpoint(deps, id, source, signal));
  const image = await ctx.stages.run('image', () => (described === undefined ? imageOfCheckpoint(deps, id, opened) : resolveImage(deps, id, config)));
  if (described !== undefined) checkImage(image, opened);
  const container: ContainerInTheMaking = { id, pod, config, image };
  const root = await ctx.stages.run('rootfs', () => prepareRootfs(deps, container, { signal, fill: (writable) => restoreRootChanges(deps, opened, writable, signal) }));
  const volumes = await ctx.stages.run('volumes', () => resolveVolumes(deps, container, signal));
  const built = await ctx.stages.run('spec', () => buildSpec(deps, container, volumes.sources));
  await ctx.stages.run('compare', () => checkRestorable(built.spec, opened, { config, asDescribed: described !== undefined }));
  await ctx.stages.run('relabel', () => relabelVolumes(deps, container, { sources: volumes.sources.mounts, signal }));
  await ctx.stages.run('prepare restore', () => prepareRestore(deps, container, { spec: built.spec, folder: opened.folder, logPath }));
  await ctx.stages.run('record', () => record(deps, container, { root, built, volumes, logPath, restore: { folder: opened.folder } }));
}

function readyPod(deps: ContainerDeps, podId: string): PodPlace {
  const pod = getByIdPrefix(deps.pods, podId, 'pod');
  if (!pod.ready) throw notReady(pod);
  return pod;
}

function notReady(pod: PodPlace): Error {
  return failure('failed-precondition', { act: 'create container', object: `in pod ${podLabel(pod)}`, why: 'the pod is not ready: it was stopped, or is of a boot before this one' });
}

/** The finished result of the same call made before; the same name with another config, or one that has run, is already-exists. */
function findSame(deps: ContainerDeps, pod: PodPlace, config: ContainerConfig): ContainerRecord | undefined {
  const key = containerKey(pod.id, config);
  const existing = deps.records.all().find((other) => other.podId === pod.id && containerKey(other.podId, other.config) === key);
  if (existing === undefined) return undefined;
  if (stateWord(existing) === 'created' && sameConfig(existing.config, config)) return existing;
  throw taken(existing);
}

function taken(existing: ContainerRecord): Error {
  const { name = '', attempt = 0 } = existing.config.metadata ?? {};
  return failure('already-exists', {
    act: 'create container',
    object: `${name} (attempt ${attempt})`,
    why: `the pod has one of this name and attempt: ${existing.id}, ${stateWord(existing)}; remove it or give the next attempt number`,
  });
}

/** With a process, or to be restored. */
interface MadeContainer {
  readonly root: MadeRoot;
  readonly built: BuiltSpec;
  readonly volumes: ResolvedVolumes;
  readonly logPath: string;
  readonly process?: CreatedProcesses;
  readonly restore?: NonNullable<ContainerRecord['restore']>;
}

function record(deps: ContainerDeps, container: ContainerInTheMaking, made: MadeContainer): void {
  const { id, pod, config, image } = container;
  // The pod may have been stopped meanwhile. From here to `put` nothing is awaited, so a stop either sees this container or
  // is seen here.
  if (deps.pods.get(pod.id)?.ready !== true) throw notReady(pod);
  const limits = withCpuOf(made.built.spec.linux.resources, config.linux?.resources);
  deps.records.put(id, {
    id,
    podId: pod.id,
    config,
    imageId: image.id,
    layers: image.layers,
    snapshotter: made.root.driver,
    ...(made.root.copied === undefined ? {} : { copied: made.root.copied }),
    ...(made.root.project === undefined ? {} : { project: made.root.project }),
    ...(Object.keys(made.volumes.images).length === 0 ? {} : { imageVolumes: made.volumes.images }),
    handler: pod.handler,
    user: containerUser(made.built.identity),
    stopSignal: effectiveStopSignal(config, image.config),
    resources: limits && resourcesInForce(limits, deps.hostFacts, deps.defaults().container),
    logPath: made.logPath,
    cgroup: made.built.cgroupsPath,
    oomKillsAround: deps.cgroups.oomKillsAround(made.built.cgroupsPath),
    createdAt: BigInt(Date.now()) * 1_000_000n,
    ...(made.restore === undefined ? {} : { restore: made.restore }),
    process: made.process?.container ?? noProcess,
    monitor: made.process?.conmon ?? noProcess,
    bootId: deps.bootId,
    startedAt: undefined,
    exit: undefined,
  });
  if (made.process === undefined) return;
  watchContainer(deps, { id, process: made.process.container, monitor: made.process.conmon }, made.process.conmonExited);
}

function podLabel(pod: PodPlace): string {
  return `${pod.config.metadata?.namespace ?? ''}/${pod.config.metadata?.name ?? ''}`;
}
