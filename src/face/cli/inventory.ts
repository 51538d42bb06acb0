/** What the runtime has, with the names by which people ask for it. */
import { ContainerState, ImageServiceService as imageService, RuntimeServiceService as runtime } from '../../gen/cri.ts';
import type { Container, Image, PodSandbox } from '../../gen/cri.ts';
import type { CriClient } from './client.ts';
import type { Findable } from './find.ts';

export interface FoundPod extends Findable {
  readonly kind: 'pod';
  readonly pod: PodSandbox;
}
export interface FoundContainer extends Findable {
  readonly kind: 'container';
  readonly container: Container;
  /** `namespace/pod`. */
  readonly podTitle: string;
}
export interface FoundImage extends Findable {
  readonly kind: 'image';
  readonly image: Image;
}

/** Newest first. */
export async function listPods(cri: CriClient): Promise<FoundPod[]> {
  const { items } = await cri.call(runtime.listPodSandbox, { filter: undefined }, { act: 'list pods' });
  return items.map(podEntry).sort(newestFirst);
}

/** Newest first; containers of a pod that is gone meanwhile are named by their labels. */
export async function listContainers(cri: CriClient): Promise<FoundContainer[]> {
  const [pods, { containers }] = await Promise.all([listPods(cri), cri.call(runtime.listContainers, { filter: undefined }, { act: 'list containers' })]);
  return containerEntries(containers, pods).sort(newestFirst);
}

export async function listImages(cri: CriClient): Promise<FoundImage[]> {
  const { images } = await cri.call(imageService.listImages, { filter: undefined }, { act: 'list images' });
  return images.map(imageEntry);
}

function newestFirst(a: Findable, b: Findable): number {
  return a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0;
}

export function podEntry(pod: PodSandbox): FoundPod {
  const name = pod.metadata?.name ?? '';
  const title = `${pod.metadata?.namespace ?? ''}/${name}`;
  return { kind: 'pod', id: pod.id, names: [name, title], aliases: [], title, createdAt: pod.createdAt, pod };
}

/** A container answers to `name`, `pod/name`, `namespace/pod/name`, and to its pod's name while it is the only one running there. */
export function containerEntries(containers: readonly Container[], pods: readonly FoundPod[]): FoundContainer[] {
  return containers.map((container) => {
    const name = container.metadata?.name ?? '';
    const pod = pods.find((one) => one.id === container.podSandboxId);
    const podName = pod?.pod.metadata?.name ?? container.labels['io.kubernetes.pod.name'] ?? '';
    const podTitle = pod?.title ?? `${container.labels['io.kubernetes.pod.namespace'] ?? ''}/${podName}`;
    const othersRun = containers.some((other) => other.podSandboxId === container.podSandboxId && other.state === ContainerState.CONTAINER_RUNNING);
    const standsForPod = container.state === ContainerState.CONTAINER_RUNNING || !othersRun;
    return {
      kind: 'container',
      id: container.id,
      names: [name, `${podName}/${name}`, `${podTitle}/${name}`],
      aliases: standsForPod ? [podName, podTitle] : [],
      title: `${podTitle}/${name}`,
      createdAt: container.createdAt,
      container,
      podTitle,
    };
  });
}

/** An image answers to its tags and digests; the registry, folder and tag that Docker Hub makes default may be left out. */
export function imageEntry(image: Image): FoundImage {
  const references = [...image.repoTags, ...image.repoDigests];
  const names = references.flatMap((reference) => {
    const withoutHub = reference.replace(/^docker\.io\/(library\/)?/, '');
    return [reference, withoutHub, reference.replace(/:latest$/, ''), withoutHub.replace(/:latest$/, '')];
  });
  return { kind: 'image', id: image.id, names: [...new Set(names)], aliases: [], title: references[0] ?? image.id, createdAt: 0n, image };
}
