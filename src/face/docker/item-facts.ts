/** Everything that is cheap to know of an item. */
import type { Engine } from '../../engine/engine.ts';
import type { ItemFacts } from './container-summary.ts';
import { findItem, inventory } from './inventory.ts';
import type { Item } from './inventory.ts';

/** What went away meanwhile is undefined in it. */
export async function factsOf(engine: Engine, item: Item): Promise<ItemFacts> {
  const podId = item.kind === 'pod' ? item.id : item.container.podSandboxId;
  const [status, pod] = await Promise.all([
    item.kind === 'pod' ? undefined : engine.containers.status(item.id, false).then((found) => found.status, () => undefined),
    engine.pods.status(podId, false).then((found) => found.status, () => undefined),
  ]);
  return { item, status, pod };
}

/** The item that a word in a path means: see findItem. */
export async function namedItem(engine: Engine, word: string): Promise<Item> {
  return findItem(await inventory(engine), word);
}
