/** Sizes of containers from what the engine has measured by itself: asking makes nobody walk a disk. */
import type { Engine } from '../../engine/engine.ts';
import type { Item } from './inventory.ts';

export interface ItemSize {
  readonly written: bigint;
  readonly root: bigint;
}

export async function sizesOf(engine: Engine): Promise<(item: Item) => ItemSize> {
  const [{ containers }, images] = await Promise.all([engine.images.diskUsage(), engine.images.list(undefined)]);
  const written = new Map(containers.map(({ id, bytes }) => [id, bytes]));
  const ofImage = new Map(images.map(({ id, size }) => [id, size]));
  return (item) => {
    const own = written.get(item.id) ?? 0n;
    return { written: own, root: own + (item.kind === 'pod' ? 0n : (ofImage.get(item.container.imageId) ?? 0n)) };
  };
}
