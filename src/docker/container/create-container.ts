import { during, failure, isKind } from '../../base/errors.ts';
import { getByIdPrefix } from '../../base/object-id.ts';
import type { CallContext } from '../../engine/engine.ts';
import { ContainerState, NamespaceMode } from '../../gen/cri.ts';
import type { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import { pathThreads } from '../../host/path-resolver.ts';
import { announcedPod } from '../../part/spec/announced-pod.ts';
import { checkContainerConfig } from '../../part/spec/check-container-config.ts';
import { logPathOf } from '../../part/spec/log-path.ts';
import { sameConfig } from '../../part/spec/same-config.ts';
import { localhostSeccompPath } from '../../part/spec/with-seccomp.ts';
import type { ImageInspect } from '../api/engine-answers.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { inspectImage } from '../image/inspect-image.ts';
import { containerLabels } from '../labels.ts';
import { containerName } from '../names.ts';
import { stateWord } from '../records.ts';
import type { ContainerRecord, PodRecord } from '../records.ts';
import { containerRefusals, refuse } from '../refusals.ts';
import { containerBody } from './container-body.ts';
import { removeFromEngine } from './remove-container.ts';

export interface CreateRequest {
  readonly podId: string;
  readonly config: ContainerConfig;
  readonly podConfig: PodSandboxConfig | undefined;
}

interface Creation {
  readonly pod: PodRecord;
  readonly podConfig: PodSandboxConfig;
  readonly config: ContainerConfig;
  readonly logPath: string;
}

/** The largest seccomp profile that is read. */
const maxProfileBytes = 1024 * 1024;

/** Makes a container CREATED: one call of the Engine's, so there is nothing to undo but that one. */
export async function createContainer(deps: DockerDeps, { podId, config, podConfig: announced }: CreateRequest, ctx: CallContext): Promise<string> {
  const pod = getByIdPrefix(deps.mirror.pods, podId, 'pod');
  if (!pod.ready) throw notReady(pod);
  const podConfig = announcedPod(pod.config, announced);
  checkContainerConfig(config, podConfig);
  refuse(containerRefusals, config, await deps.api.version());
  const logPath = logPathOf(podConfig, config);
  let joined = true;
  const id = await deps.creating.run(containerKey(pod.id, config), async () => {
    joined = false;
    const same = findSame(deps, pod, config);
    if (same !== undefined) return same.id;
    try {
      return await make(deps, { pod, podConfig, config, logPath }, ctx);
    } catch (error) {
      throw during(error, { act: 'create container', object: `${config.metadata?.name ?? ''} in pod ${label(pod)}` });
    }
  });
  const made = deps.mirror.containers.get(id);
  if (joined && made !== undefined && !sameConfig(made.config, config)) throw taken(made);
  return id;
}

async function make(deps: DockerDeps, { pod, podConfig, config, logPath }: Creation, ctx: CallContext): Promise<string> {
  const image = await ctx.stages.run('image', () => findImage(deps, config));
  checkTarget(deps, pod, config);
  const { SecurityOptions } = await deps.info();
  const body = containerBody({
    config, podConfig, podId: pod.id, imageId: image.Id, imageEnv: image.Config?.Env ?? [], handler: pod.handler,
    labels: containerLabels(deps.roots.root, { podId: pod.id, config, logPath }),
    cgroupDriver: await deps.cgroupDriver(), version: await deps.api.version(), facts: deps.hostFacts, defaults: deps.defaults().container,
    localhostSeccomp: await readSeccompProfile(config),
    apparmor: (SecurityOptions ?? []).some((option) => option.startsWith('name=apparmor')),
  });
  const name = containerName(config.metadata, podConfig);
  const { Id: id } = await ctx.stages.run('runtime create', () => deps.api.call<{ Id: string }>({ act: { act: 'create container', object: name }, method: 'POST', path: '/containers/create', query: { name }, json: body }));
  await deps.mirror.refresh(id);
  // The pod may have been stopped meanwhile, and whoever stopped it has not seen this one.
  if (deps.mirror.pods.get(pod.id)?.ready === true) return id;
  await removeFromEngine(deps, { id });
  throw notReady(pod);
}

async function findImage(deps: DockerDeps, config: ContainerConfig): Promise<ImageInspect> {
  const reference = config.image?.image ?? '';
  if (reference === '') throw failure('invalid-argument', { act: 'find image', object: 'config.image', why: 'it is missing' });
  const found = await inspectImage(deps.api, reference);
  if (found === undefined) throw failure('not-found', { act: 'find image', object: reference, why: 'it is not on this node: pull it first' });
  return found;
}

/** A debug container looks at the processes of another container of its own pod, and of no other. */
function checkTarget(deps: DockerDeps, pod: PodRecord, config: ContainerConfig): void {
  const options = config.linux?.securityContext?.namespaceOptions;
  if (options?.pid !== NamespaceMode.TARGET) return;
  const act = { act: 'share the PID namespace of container', object: options.targetId };
  const target = getByIdPrefix(deps.mirror.containers, options.targetId, 'target container');
  if (target.podId !== pod.id) throw failure('invalid-argument', { ...act, why: 'it belongs to another pod' });
  if (target.state !== ContainerState.CONTAINER_RUNNING) throw failure('failed-precondition', { ...act, why: 'it is not running' });
}

async function readSeccompProfile(config: ContainerConfig): Promise<string | undefined> {
  const path = localhostSeccompPath(config);
  if (path === undefined) return undefined;
  try {
    return await pathThreads.readText(path, maxProfileBytes);
  } catch (cause) {
    const detail = { act: 'read seccomp profile', object: path };
    throw isKind(cause, 'not-found') ? failure('failed-precondition', { ...detail, why: 'there is no such file on this node', cause }) : during(cause, detail);
  }
}

/** The finished result of the same call made before; the same name with another config, or one that has run, is already-exists. */
function findSame(deps: DockerDeps, pod: PodRecord, config: ContainerConfig): ContainerRecord | undefined {
  const key = containerKey(pod.id, config);
  const existing = deps.mirror.containersOf(pod.id).find((other) => containerKey(pod.id, other.config) === key);
  if (existing === undefined) return undefined;
  if (existing.state === ContainerState.CONTAINER_CREATED && sameConfig(existing.config, config)) return existing;
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

function notReady(pod: PodRecord): Error {
  return failure('failed-precondition', { act: 'create container', object: `in pod ${label(pod)}`, why: 'the pod is not ready: it was stopped, or its infra container ended' });
}

/** The natural key of a container: a repeated CreateContainer carries the same one. */
function containerKey(podId: string, { metadata }: ContainerConfig): string {
  return `${podId}/${metadata?.name ?? ''}/${metadata?.attempt ?? 0}`;
}

function label({ config: { metadata } }: PodRecord): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}
