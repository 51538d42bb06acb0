/** What happened to containers, pods and images, told from what there was and what there is. */
import type { Engine } from '../../engine/engine.ts';
import type { Image } from '../../gen/cri.ts';
import { imageOf, inventory, labelsOf } from './inventory.ts';
import type { Item } from './inventory.ts';
import { nowNs } from './moments.ts';

export interface DockerEvent {
  readonly type: 'container' | 'image';
  readonly action: ContainerAction | ImageAction;
  /** Of the container or the image. */
  readonly id: string;
  /** The image of a container; empty for an image. */
  readonly from: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
}

type ContainerAction = 'create' | 'start' | 'die' | 'destroy';
type ImageAction = 'pull' | 'tag' | 'untag' | 'delete';

/** All there is at one moment. */
export interface Snapshot {
  readonly items: ReadonlyMap<string, Item>;
  readonly images: ReadonlyMap<string, Image>;
}

export async function takeSnapshot(engine: Engine): Promise<Snapshot> {
  const [items, images] = await Promise.all([inventory(engine), engine.images.list(undefined)]);
  return { items: new Map(items.map((item) => [item.id, item])), images: new Map(images.map((image) => [image.id, image])) };
}

export interface ItemChange {
  readonly item: Item;
  readonly action: ContainerAction;
}

/** A container that began and ended between two looks is told of with everything that it went through, as long as it was not removed as well. */
export function itemChanges(before: Snapshot['items'], after: Snapshot['items']): ItemChange[] {
  const changes: ItemChange[] = [];
  for (const item of [...after.values()].reverse()) {
    const known = before.get(item.id);
    const had = known === undefined ? [] : lived(known);
    for (const action of lived(item)) if (!had.includes(action)) changes.push({ item, action });
  }
  for (const item of before.values()) {
    if (after.has(item.id)) continue;
    if (item.state === 'running') changes.push({ item, action: 'die' });
    changes.push({ item, action: 'destroy' });
  }
  return changes;
}

/** What an item in its state has behind it. */
export function lived({ state }: Item): ContainerAction[] {
  if (state === 'created') return ['create'];
  return state === 'running' ? ['create', 'start'] : ['create', 'start', 'die'];
}

export function imageEvents(before: Snapshot['images'], after: Snapshot['images'], at: bigint): DockerEvent[] {
  const event = (action: ImageAction, id: string, name: string): DockerEvent => ({ type: 'image', action, id, from: '', attributes: { name }, at });
  const events: DockerEvent[] = [];
  for (const { id, repoTags, repoDigests } of after.values()) {
    const known = before.get(id);
    if (known === undefined) events.push(event('pull', id, repoTags[0] ?? repoDigests[0] ?? id));
    else events.push(...repoTags.filter((tag) => !known.repoTags.includes(tag)).map((tag) => event('tag', id, tag)));
  }
  for (const { id, repoTags } of before.values()) {
    const tags = after.get(id)?.repoTags ?? [];
    events.push(...repoTags.filter((tag) => !tags.includes(tag)).map((tag) => event('untag', id, tag)));
    if (!after.has(id)) events.push(event('delete', id, id));
  }
  return events;
}

/** When it happened is asked of the engine; what is gone by then happened now. */
export async function itemEvent(engine: Engine, { item, action }: ItemChange, imageName: (id: string) => string | undefined): Promise<DockerEvent> {
  const status = item.kind === 'pod' || action === 'destroy' ? undefined : await engine.containers.status(item.id, false).then(({ status: found }) => found, () => undefined);
  const at = { create: item.createdAt, start: item.kind === 'pod' ? item.createdAt : (status?.startedAt ?? 0n), die: status?.finishedAt ?? 0n, destroy: 0n }[action];
  const image = imageOf(item, imageName);
  return {
    type: 'container', action, id: item.id, from: image, at: at > 0n ? at : nowNs(),
    attributes: { ...labelsOf(item), image, name: item.name, ...(action === 'die' ? { exitCode: String(status?.exitCode ?? 0) } : {}) },
  };
}

/** The first name of an image, by its id. */
export function imageNames(images: Iterable<Image>): (id: string) => string | undefined {
  const names = new Map(Array.from(images, ({ id, repoTags, repoDigests }) => [id, repoTags[0] ?? repoDigests[0]] as const));
  return (id) => names.get(id);
}
