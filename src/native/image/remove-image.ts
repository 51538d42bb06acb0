/** RemoveImage, and the sweeping up of what no image needs. */
import { hexOf } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure } from '../../base/errors.ts';
import type { ImageDeps } from './image-deps.ts';

type SweepDeps = Pick<ImageDeps, 'layers' | 'content' | 'holds' | 'records'>;

/**
 * Removes an image with all its tags and digests, and the layers that no other image shares. Absent: success, once what a removal
 * that failed halfway has left is gone too. While a container uses
 * it: failed-precondition, because its layers are the container's root (containerd only untags then; the kubelet never asks).
 */
export async function removeImage(deps: ImageDeps, name: string): Promise<void> {
  const record = deps.records.find(name);
  if (record === undefined) return await sweepUnneeded(deps);
  const users = imageUsers(deps, record.id);
  if (users.length > 0) {
    const shown = users.slice(0, 5).join(', ') + (users.length > 5 ? `, and ${users.length - 5} more` : '');
    throw failure('failed-precondition', { act: 'remove image', object: name, why: `in use by container ${shown}; remove the container first` });
  }
  deps.records.delete(record.id);
  await sweepUnneeded(deps);
}

/** Containers that exist or are being made, and run from the image or mount it. */
function imageUsers(deps: ImageDeps, imageId: string): string[] {
  const holders = [...deps.heldImages].flatMap(([holder, images]) => (images.has(imageId) ? [holder] : []));
  return [...new Set([...deps.usedBy(imageId), ...holders])];
}

/** Removes those of these layers that neither an image nor a pull in flight needs. */
export async function removeUnneeded(deps: ImageDeps, diffIds: Iterable<Digest>): Promise<void> {
  for (const diffId of diffIds) {
    if (!isNeeded(deps, diffId)) await deps.layers.remove(diffId);
  }
}

/**
 * Removes layers and documents that neither an image nor a pull in flight needs, and downloads that nobody came back for. What cannot be
 * removed does not keep the rest; the first failure is thrown at the end.
 */
export async function sweepUnneeded(deps: SweepDeps): Promise<void> {
  const failures: unknown[] = [];
  for (const { diffId } of deps.layers.all()) {
    // Asked anew for each: pulls go on while directories are removed.
    if (!isNeeded(deps, diffId)) await deps.layers.remove(diffId).catch((error: unknown) => failures.push(error));
  }
  deps.layers.partials.sweep();
  await deps.content.keepOnly((hex) => isNeeded(deps, `sha256:${hex}` as Digest)).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

function isNeeded(deps: Pick<ImageDeps, 'holds' | 'records'>, digest: Digest): boolean {
  return deps.holds.has(digest) || deps.records.all().some((record) => record.layers.includes(digest) || record.documents.some((document) => hexOf(document.digest) === hexOf(digest)));
}
