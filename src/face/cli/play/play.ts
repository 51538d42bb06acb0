/** Playing a manifest: check everything, then run its pods one after the other; on a failure undo what this play made. */
import { during, failure, messageOf } from '../../../base/errors.ts';
import { Stages, type Stage } from '../../../base/stages.ts';
import { ContainerState, PodSandboxState, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import type { CriClient } from '../client.ts';
import type { Progress } from '../progress.ts';
import { checkReferences } from './check-references.ts';
import { dataSources, type DataSources } from './data-sources.ts';
import { PlayImages } from './images.ts';
import { allContainers, type Manifest, type PodManifest } from './manifest.ts';
import type { ParsedManifest } from './parse-manifest.ts';
import { PlayDirs, type PlayRoots } from './play-dirs.ts';
import { fingerprintOf, playUid, type HostFacts, type PodFacts } from './pod-facts.ts';
import { fingerprintAnnotation } from './pod-to-cri.ts';
import { podAddresses, runPod, type StartedPod } from './run-pod.ts';
import { containersOf, playedPods, takeDown } from './take-down.ts';
import { hostPathProblems } from './volumes.ts';

export interface PlayDeps {
  readonly cri: CriClient;
  readonly progress: Progress;
  readonly roots: PlayRoots;
  readonly host: HostFacts;
  /** How long one init container may take. */
  readonly initTimeoutMs: number;
  readonly signal: AbortSignal;
}

export interface PlayedPod extends StartedPod {
  readonly namespace: string;
  readonly name: string;
  readonly outcome: 'started' | 'already running';
  readonly stages: readonly Stage[];
}

/** After a failure containers get this long to end by themselves. */
const undoGraceSeconds = 1;

/** All that is wrong with a manifest on this node; to be empty before anything is made. */
export async function manifestProblems({ manifest, findings }: ParsedManifest): Promise<string[]> {
  return [...findings.problems, ...checkReferences(manifest, dataSources(manifest)), ...(await hostPathProblems(manifest.pods))];
}

/**
 * Runs the pods of a checked manifest in their order. A pod that runs already, made from the same manifest, is left alone;
 * made from another one: failed-precondition. One that was left half made is made again. If one fails, all that this call
 * made is removed (pulled images stay), and the error names pod, container and stage.
 */
export async function play(manifest: Manifest, deps: PlayDeps): Promise<PlayedPod[]> {
  const sources = dataSources(manifest);
  const images = new PlayImages(deps.cri);
  const played: PlayedPod[] = [];
  const made: PodManifest[] = [];
  try {
    for (const pod of manifest.pods) {
      const facts = factsOf(pod, manifest, deps);
      const running = await alreadyRunning(pod, facts, deps);
      if (running) {
        played.push(running);
        continue;
      }
      made.push(pod);
      played.push(await startPod(pod, facts, { sources, images, deps }));
    }
    return played;
  } catch (error) {
    const failed = made.at(-1) ?? manifest.pods[played.length]!;
    await undo(made.toReversed(), deps);
    throw during(error, { act: 'pod', object: titleOf(failed) });
  }
}

export function titleOf(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}

async function startPod(pod: PodManifest, facts: PodFacts, play: { sources: DataSources; images: PlayImages; deps: PlayDeps }): Promise<PlayedPod> {
  const { cri, progress, roots, signal, initTimeoutMs } = play.deps;
  const stages = new Stages();
  const step = <T>(what: string, work: () => Promise<T>) => progress.step(stages, what, work, titleOf(pod));
  const dirs = new PlayDirs(roots, pod);
  const started = await runPod({ cri, pod, sources: play.sources, images: play.images, dirs, facts, stages, step, initTimeoutMs, signal });
  return { ...started, namespace: pod.namespace, name: pod.name, outcome: 'started', stages: stages.done };
}

function factsOf(pod: PodManifest, manifest: Manifest, deps: PlayDeps): PodFacts {
  const data = [...manifest.configMaps, ...manifest.secrets].filter((one) => one.namespace === pod.namespace);
  return {
    host: deps.host,
    uid: playUid(pod.namespace, pod.name),
    logDirectory: new PlayDirs(deps.roots, pod).logs,
    fingerprint: fingerprintOf(pod, data),
    podIps: [],
  };
}

/** The pod as it runs; undefined when it does not, after leftovers of it were removed. */
async function alreadyRunning(pod: PodManifest, facts: PodFacts, deps: PlayDeps): Promise<PlayedPod | undefined> {
  const sandboxes = await playedPods(deps.cri, pod);
  if (sandboxes.length === 0) return undefined;
  const ready = sandboxes.find((one) => one.state === PodSandboxState.SANDBOX_READY);
  const containers = ready ? await containersOf(deps.cri, ready.id) : [];
  const wanted = allContainers(pod.spec).map((one) => one.name);
  const whole = wanted.every((name) => containers.some((one) => one.metadata?.name === name && one.state !== ContainerState.CONTAINER_CREATED));

  if (ready && ready.annotations[fingerprintAnnotation] !== facts.fingerprint) {
    throw failure('failed-precondition', { act: 'play', why: 'it runs, made from another version of the manifest: take it down first with `gantry play --down`' });
  }
  if (!ready || !whole) {
    deps.progress.line(`${titleOf(pod)}: was left ${ready ? 'half made' : 'stopped'}, removing it first`);
    await takeDown({ cri: deps.cri, pod, dirs: new PlayDirs(deps.roots, pod), graceSeconds: undoGraceSeconds });
    return undefined;
  }

  const ips = await podAddresses(deps.cri, pod, deps.host, ready.id);
  const longLived = containers.filter((one) => !pod.spec.initContainers.some((init) => !init.sidecar && init.name === one.metadata?.name));
  const started = longLived.map(async (one) => ({
    name: one.metadata?.name ?? '',
    id: one.id,
    image: allContainers(pod.spec).find((spec) => spec.name === one.metadata?.name)?.image ?? '',
    status: (await deps.cri.call(runtime.containerStatus, { containerId: one.id, verbose: false }, { act: 'ask for container' })).status,
  }));
  return { id: ready.id, ips, containers: await Promise.all(started), namespace: pod.namespace, name: pod.name, outcome: 'already running', stages: [] };
}

/** What cannot be undone now is told, and does not hide the failure that led here. */
async function undo(pods: readonly PodManifest[], deps: PlayDeps): Promise<void> {
  for (const pod of pods) {
    try {
      const existed = await takeDown({ cri: deps.cri, pod, dirs: new PlayDirs(deps.roots, pod), graceSeconds: undoGraceSeconds });
      if (existed) deps.progress.line(`${titleOf(pod)}: removed what was made`);
    } catch (error) {
      deps.progress.line(`${titleOf(pod)}: could not remove what was made (gantry play --down does it later): ${messageOf(error)}`);
    }
  }
}
