/** Undoing a played pod: for `--down`, after a failure, and before what was left half made is made again. */
import { ContainerState, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import type { CriClient } from '../client.ts';
import type { PodManifest } from './manifest.ts';
import type { PlayDirs } from './play-dirs.ts';
import { playUid } from './pod-facts.ts';

export interface TakeDown {
  readonly cri: CriClient;
  readonly pod: PodManifest;
  readonly dirs: PlayDirs;
  /** How long containers get to end by themselves. */
  readonly graceSeconds: number;
}

/** Deadlines of calls that must come to an end beyond the grace period. */
const patienceMs = 120_000;

/**
 * Stops and removes all that runs for the pod, then its volumes and logs. Says whether there was anything. An interrupt
 * does not cut it short; it may be repeated after a failure.
 */
export async function takeDown({ cri, pod, dirs, graceSeconds }: TakeDown): Promise<boolean> {
  const sandboxes = await playedPods(cri, pod);
  const sidecars = new Set(pod.spec.initContainers.filter((one) => one.sidecar).map((one) => one.name));
  for (const sandbox of sandboxes) {
    const running = await containersOf(cri, sandbox.id);
    // Sidecars serve the others, so they go last.
    for (const last of [false, true]) {
      const turn = running.filter((one) => one.state === ContainerState.CONTAINER_RUNNING && sidecars.has(one.metadata?.name ?? '') === last);
      await Promise.all(
        turn.map((one) =>
          cri.call(runtime.stopContainer, { containerId: one.id, timeout: BigInt(graceSeconds) }, {
            act: 'stop container', object: one.metadata?.name ?? one.id, deadlineMs: graceSeconds * 1000 + patienceMs, signal: null,
          }),
        ),
      );
    }
    const about = { object: `${pod.namespace}/${pod.name}`, deadlineMs: patienceMs, signal: null };
    await cri.call(runtime.stopPodSandbox, { podSandboxId: sandbox.id }, { act: 'stop pod', ...about });
    await cri.call(runtime.removePodSandbox, { podSandboxId: sandbox.id }, { act: 'remove pod', ...about });
  }
  const hadFiles = await dirs.remove();
  return sandboxes.length > 0 || hadFiles;
}

/** The runtime's pods that were made for this one, in any state. */
export async function playedPods(cri: CriClient, pod: { namespace: string; name: string }) {
  const labelSelector = { 'io.kubernetes.pod.uid': playUid(pod.namespace, pod.name) };
  const { items } = await cri.call(
    runtime.listPodSandbox,
    { filter: { id: '', state: undefined, labelSelector } },
    { act: 'look for pod', object: `${pod.namespace}/${pod.name}`, signal: null },
  );
  return items;
}

export async function containersOf(cri: CriClient, podSandboxId: string) {
  const filter = { id: '', state: undefined, podSandboxId, labelSelector: {} };
  return (await cri.call(runtime.listContainers, { filter }, { act: 'list containers', signal: null })).containers;
}
