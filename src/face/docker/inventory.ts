/**
 * Pods and containers as dockershim made them: a pod is a container of its own, whose network the others have. Names, labels and states are
 * those that agents know from there.
 */
import { failure } from '../../base/errors.ts';
import type { Engine } from '../../engine/engine.ts';
import { ContainerState, PodSandboxState } from '../../gen/cri.ts';
import type { Container, PodSandbox } from '../../gen/cri.ts';

export interface ContainerItem {
  readonly kind: 'container';
  readonly id: string;
  readonly name: string;
  readonly createdAt: bigint;
  readonly state: ItemState;
  readonly container: Container;
}

export interface PodItem {
  readonly kind: 'pod';
  readonly id: string;
  readonly name: string;
  readonly createdAt: bigint;
  readonly state: ItemState;
  readonly pod: PodSandbox;
}

export type Item = ContainerItem | PodItem;

/** Those of Docker's states that there are here. */
export type ItemState = 'created' | 'running' | 'exited' | 'dead';

const containerStates: Readonly<Record<ContainerState, ItemState>> = {
  [ContainerState.CONTAINER_CREATED]: 'created',
  [ContainerState.CONTAINER_RUNNING]: 'running',
  [ContainerState.CONTAINER_EXITED]: 'exited',
  [ContainerState.CONTAINER_UNKNOWN]: 'dead',
  [ContainerState.UNRECOGNIZED]: 'dead',
};

/** No image is behind a pod. This is the name by which agents leave pods' own containers out. */
export const podImage = 'registry.k8s.io/pause';

/** All there is, the newest first. */
export async function inventory(engine: Engine): Promise<Item[]> {
  const [pods, containers] = await Promise.all([engine.pods.list(undefined), engine.containers.list(undefined)]);
  const podOf = new Map(pods.map((pod) => [pod.id, pod]));
  const items: Item[] = [...pods.map(podItem), ...containers.map((container) => containerItem(container, podOf.get(container.podSandboxId)))];
  return items.sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0));
}

function containerItem(container: Container, pod: PodSandbox | undefined): ContainerItem {
  const { id, createdAt, state, metadata } = container;
  return { kind: 'container', id, createdAt, container, state: containerStates[state], name: dockerName(metadata?.name ?? '', { ...podNames(pod, container.labels), attempt: metadata?.attempt ?? 0 }) };
}

function podItem(pod: PodSandbox): PodItem {
  const { id, createdAt, state, metadata } = pod;
  const name = dockerName('POD', { ...podNames(pod, {}), attempt: metadata?.attempt ?? 0 });
  return { kind: 'pod', id, name, createdAt, pod, state: state === PodSandboxState.SANDBOX_READY ? 'running' : 'exited' };
}

interface PodNames {
  readonly pod: string;
  readonly namespace: string;
  readonly uid: string;
}

/** A pod that was removed between two lists is named by the labels of its container. */
function podNames(pod: PodSandbox | undefined, labels: Readonly<Record<string, string>>): PodNames {
  return {
    pod: pod?.metadata?.name ?? labels['io.kubernetes.pod.name'] ?? '',
    namespace: pod?.metadata?.namespace ?? labels['io.kubernetes.pod.namespace'] ?? '',
    uid: pod?.metadata?.uid ?? labels['io.kubernetes.pod.uid'] ?? '',
  };
}

function dockerName(container: string, { pod, namespace, uid, attempt }: PodNames & { readonly attempt: number }): string {
  return ['k8s', container, pod, namespace, uid, attempt].join('_');
}

/** With annotations as labels, which Docker has none of. `logPath` may be left out where it is not at hand. */
export function labelsOf(item: Item, logPath = ''): Record<string, string> {
  const { labels, annotations } = item.kind === 'pod' ? item.pod : item.container;
  const all: Record<string, string> = { ...labels };
  for (const [name, value] of Object.entries(annotations)) all[`annotation.${name}`] = value;
  if (item.kind === 'pod') return { ...all, 'io.kubernetes.container.name': 'POD', 'io.kubernetes.docker.type': 'podsandbox' };
  return {
    ...all,
    'io.kubernetes.docker.type': 'container',
    'io.kubernetes.sandbox.id': item.container.podSandboxId,
    ...(logPath === '' ? {} : { 'io.kubernetes.container.logpath': logPath }),
  };
}

/** The image as whoever made the container wrote it. `nameOf` gives ids a name that people know. */
export function imageOf(item: Item, nameOf: (imageId: string) => string | undefined): string {
  if (item.kind === 'pod') return podImage;
  const { image, imageId } = item.container;
  const written = image?.userSpecifiedImage || image?.image || imageId;
  return /^(sha256:)?[0-9a-f]{64}$/.test(written) ? (nameOf(imageId) ?? written) : written;
}

/** The one that a word means: its id, its name, with a slash before it or not, or the beginning of its id. None is not-found, several invalid-argument. */
export function findItem(items: readonly Item[], word: string): Item {
  const name = word.replace(/^\//, '');
  const exact = items.find((item) => item.id === word || item.name === name);
  if (exact !== undefined) return exact;
  const begun = /^[0-9a-f]+$/.test(word) ? items.filter(({ id }) => id.startsWith(word)) : [];
  if (begun.length > 1) throw failure('invalid-argument', { act: 'find container', object: word, why: `it is the beginning of ${begun.length} ids` });
  if (begun.length === 0) throw failure('not-found', { act: 'No such container', why: word }); // Docker's words, which clients look for
  return begun[0]!;
}
