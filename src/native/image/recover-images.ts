/** What a crash left, put right at the next start. */
import { recoverSpools } from './archive-spool.ts';
import type { ImageDeps } from './image-deps.ts';
import { sweepUnneeded } from './remove-image.ts';

/**
 * Removes layers that were being made or removed, forgets unused images that lost a layer or their configuration (they are pulled
 * again when needed), and removes what no image needs. Repeatable; call it before the first pull.
 */
export async function recoverImages(deps: ImageDeps): Promise<void> {
  recoverSpools(deps);
  await deps.layers.recover();
  for (const record of deps.records.all()) {
    const isWhole = record.layers.every((diffId) => deps.layers.get(diffId) !== undefined) && (await hasConfig(deps, record.id));
    if (isWhole) continue;
    const names = [...record.repoTags, ...record.repoDigests];
    if (deps.usedBy(record.id).length > 0) {
      // Its other layers are the roots of containers: they stay, and the next pull brings what is missing.
      deps.log.warn('image is incomplete on disk and in use: pull it again', { image: record.id, names });
      continue;
    }
    deps.log.warn('image is incomplete on disk, forgotten: it will be pulled again', { image: record.id, names });
    deps.records.delete(record.id);
  }
  await sweepUnneeded(deps);
}

async function hasConfig(deps: ImageDeps, id: Parameters<ImageDeps['content']['get']>[0]): Promise<boolean> {
  return await deps.content.get(id).then(() => true, () => false);
}
