/** Running one pod: images, files, sandbox, init containers in their order, then the containers. */
import { mkdir, readFile, writeFile, chmod } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { during, failure } from '../../../base/errors.ts';
import type { Stages } from '../../../base/stages.ts';
import { ContainerState, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import type { ContainerStatus, Mount, PodSandboxConfig } from '../../../gen/cri.ts';
import type { CriClient } from '../client.ts';
import { humanElapsed } from '../human.ts';
import { readLog } from '../../logs/log-file.ts';
import type { DataSources } from './data-sources.ts';
import { environmentOf } from './environment.ts';
import { expandVariables } from './expand.ts';
import { hostsFile } from './hosts-file.ts';
import type { PlayImages, ReadyImage } from './images.ts';
import { allContainers, type ContainerSpec, type PodManifest } from './manifest.ts';
import { subPathProblem } from './parse-container.ts';
import type { PlayDirs } from './play-dirs.ts';
import type { HostFacts, PodFacts } from './pod-facts.ts';
import { containerToCri, logPathOf, mountToCri, plainMount, podToCri } from './pod-to-cri.ts';
import { rootProblem } from './security-to-cri.ts';
import { resolveSubPath } from './sub-path.ts';
import { makeVolumes } from './volumes.ts';

export interface RunPod {
  readonly cri: CriClient;
  readonly pod: PodManifest;
  readonly sources: DataSources;
  readonly images: PlayImages;
  readonly dirs: PlayDirs;
  readonly facts: PodFacts;
  readonly stages: Stages;
  /** Records and shows one step. */
  readonly step: <T>(what: string, work: () => Promise<T>) => Promise<T>;
  readonly initTimeoutMs: number;
  readonly signal: AbortSignal;
}

export interface StartedContainer {
  readonly name: string;
  readonly id: string;
  readonly image: string;
  readonly status: ContainerStatus | undefined;
}

export interface StartedPod {
  readonly id: string;
  readonly ips: readonly string[];
  readonly containers: readonly StartedContainer[];
}

/** As the kubelet: network plugins may be slow. */
const runPodDeadlineMs = 4 * 60 * 1000;
const createDeadlineMs = 2 * 60 * 1000;
const pollMs = 100;

/**
 * Runs the pod. On a failure what was made so far is left for the caller to take down; the error names container and stage.
 * All containers are made before the first is started: then nobody can exchange a subPath for a symlink between
 * our look at it and the runtime's mount.
 */
export async function runPod(run: RunPod): Promise<StartedPod> {
  const { pod, step } = run;
  const ready = await readyImages(run);
  await run.dirs.make();
  const volumes = pod.spec.volumes.length === 0 ? new Map<string, string>() : await step('make volumes', () => makeVolumes(pod, run.dirs, run.sources));
  const config = podToCri(pod, run.facts);
  const { podSandboxId } = await step('run pod', () =>
    run.cri.call(runtime.runPodSandbox, { config, runtimeHandler: pod.spec.runtimeClassName ?? '' }, { act: 'run pod sandbox', deadlineMs: runPodDeadlineMs }),
  );
  const podIps = await podAddresses(run.cri, pod, run.facts.host, podSandboxId);
  const nodeHosts = pod.spec.hostNetwork ? await readFile('/etc/hosts', 'utf8').catch(() => '') : '';
  await writeFile(run.dirs.hostsFile, hostsFile(pod, podIps, nodeHosts), { mode: 0o644 });

  const inPod: InPod = { ...run, facts: { ...run.facts, podIps }, podSandboxId, config, volumes, ready };
  const sidecars: StartedContainer[] = [];
  for (const container of pod.spec.initContainers) {
    const id = await createContainer(inPod, container);
    await startContainer(inPod, container, id);
    if (container.sidecar) sidecars.push({ name: container.name, id, image: container.image, status: undefined });
    else await step(`init container ${container.name} to end`, () => initToEnd(inPod, container, id));
  }
  const made: { container: ContainerSpec; id: string }[] = [];
  for (const container of pod.spec.containers) made.push({ container, id: await createContainer(inPod, container) });
  for (const { container, id } of made) await startContainer(inPod, container, id);

  const started = [...sidecars, ...made.map(({ container, id }) => ({ name: container.name, id, image: container.image, status: undefined }))];
  const containers = await Promise.all(started.map(async (one) => ({ ...one, status: await statusOf(run.cri, one.id, one.name) })));
  return { id: podSandboxId, ips: podIps, containers };
}

interface InPod extends RunPod {
  readonly podSandboxId: string;
  readonly config: PodSandboxConfig;
  readonly volumes: ReadonlyMap<string, string>;
  readonly ready: ReadonlyMap<ContainerSpec, ReadyImage>;
}

async function readyImages(run: RunPod): Promise<Map<ContainerSpec, ReadyImage>> {
  const ready = new Map<ContainerSpec, ReadyImage>();
  for (const container of allContainers(run.pod.spec)) {
    const image = await inContainer(container, () => run.images.ready(container, run.step));
    const problem = rootProblem(container, run.pod.spec, image.user);
    if (problem) throw failure('failed-precondition', { act: 'container', object: container.name, why: problem });
    ready.set(container, image);
  }
  return ready;
}

/** The addresses of a pod, its first one first; in the host network they are the node's. */
export async function podAddresses(cri: CriClient, pod: PodManifest, host: HostFacts, podSandboxId: string): Promise<readonly string[]> {
  if (pod.spec.hostNetwork) return host.hostIps;
  const { status } = await cri.call(runtime.podSandboxStatus, { podSandboxId, verbose: false }, { act: 'ask for the address of the pod' });
  const network = status?.network;
  return network?.ip ? [network.ip, ...network.additionalIps.map((one) => one.ip)] : [];
}

function createContainer(inPod: InPod, container: ContainerSpec): Promise<string> {
  return inPod.step(`create container ${container.name}`, () => inContainer(container, async () => {
    const image = inPod.ready.get(container)!;
    const environment = environmentOf(container, inPod.pod, inPod.sources, inPod.facts);
    const mounts = await mountsOf(inPod, container, environment);
    const config = containerToCri({ pod: inPod.pod, container, facts: inPod.facts, imageId: image.id, imageUser: image.user, environment, mounts });
    const request = { podSandboxId: inPod.podSandboxId, config, sandboxConfig: inPod.config };
    await mkdir(path.join(inPod.facts.logDirectory, container.name), { recursive: true, mode: 0o755 });
    return (await inPod.cri.call(runtime.createContainer, request, { act: 'create', deadlineMs: createDeadlineMs })).containerId;
  }));
}

async function startContainer(inPod: InPod, container: ContainerSpec, containerId: string): Promise<void> {
  await inPod.step(`start container ${container.name}`, () => inContainer(container, () =>
    inPod.cri.call(runtime.startContainer, { containerId }, { act: 'start', deadlineMs: createDeadlineMs }),
  ));
}

/** The volumes, and the two files that a kubelet manages for each container. */
async function mountsOf(inPod: InPod, container: ContainerSpec, environment: ReadonlyMap<string, string>): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const mount of container.mounts) {
    const volume = inPod.pod.spec.volumes.find((one) => one.name === mount.volume)!;
    const place = inPod.volumes.get(mount.volume)!;
    const subPath = mount.subPathExpands ? expandVariables(mount.subPath, environment) : mount.subPath;
    const problem = subPathProblem(subPath);
    if (problem) throw failure('invalid-argument', { act: 'use subPathExpr', object: JSON.stringify(subPath), why: problem });
    const source = subPath === '' ? place : await resolveSubPath(place, subPath);
    const isData = volume.kind === 'configMap' || volume.kind === 'secret';
    mounts.push(mountToCri(mount, source, mount.readOnly || isData));
  }
  if (!container.mounts.some((one) => one.mountPath === '/etc/hosts')) mounts.push(plainMount('/etc/hosts', inPod.dirs.hostsFile));
  const log = inPod.dirs.terminationLog(container.name);
  await mkdir(path.dirname(log), { recursive: true, mode: 0o700 });
  await writeFile(log, '');
  await chmod(log, 0o666);
  mounts.push(plainMount(container.terminationMessagePath, log));
  return mounts;
}

async function initToEnd(inPod: InPod, container: ContainerSpec, id: string): Promise<void> {
  const began = performance.now();
  for (;;) {
    const status = await statusOf(inPod.cri, id, container.name);
    if (status?.state === ContainerState.CONTAINER_EXITED) {
      if (status.exitCode === 0) return;
      const words = await lastWords(inPod, container);
      throw failure('failed-precondition', { act: 'init container', object: container.name, why: `it exited with ${status.exitCode}${words}` });
    }
    if (performance.now() - began > inPod.initTimeoutMs) {
      const waited = humanElapsed(inPod.initTimeoutMs);
      throw failure('deadline-exceeded', { act: 'init container', object: container.name, why: `it did not end within ${waited}${await lastWords(inPod, container)}: give it more with --timeout` });
    }
    if (inPod.signal.aborted) throw failure('cancelled', { act: 'init container', object: container.name, why: 'interrupted' });
    await sleep(pollMs, undefined, { signal: inPod.signal }).catch(() => undefined);
  }
}

/** The end of a container's log, for an error message: its file is about to be removed. */
async function lastWords(inPod: InPod, container: ContainerSpec): Promise<string> {
  const lines: string[] = [];
  try {
    const file = path.join(inPod.facts.logDirectory, logPathOf(container));
    for await (const line of readLog(file, { tail: 5, signal: AbortSignal.timeout(5000) })) lines.push(line.content.toString().slice(0, 300));
  } catch {
    return '';
  }
  return lines.length === 0 ? '' : `; its last words: ${lines.join(' | ')}`;
}

async function statusOf(cri: CriClient, containerId: string, name: string): Promise<ContainerStatus | undefined> {
  return (await cri.call(runtime.containerStatus, { containerId, verbose: false }, { act: 'ask for container', object: name })).status;
}

async function inContainer<T>(container: ContainerSpec, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw during(error, { act: 'container', object: container.name });
  }
}
