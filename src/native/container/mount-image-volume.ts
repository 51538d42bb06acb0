import { join } from 'node:path';
import { during, failure, hasCode } from '../../base/errors.ts';
import type { ImageSpec } from '../../gen/cri.ts';
import { findBeneath } from '../../host/beneath.ts';
import { treePath } from '../../part/snapshot/snapshotter.ts';
import type { ContainerDeps } from './container-deps.ts';
import { containerPaths } from './container-paths.ts';
import type { ContainerInTheMaking } from './create-container.ts';
import { snapshotterFor, treeContent } from './prepare-rootfs.ts';

/** An image as a volume (KEP-4639), `index` being its place in config.mounts. */
export interface ImageVolume {
  readonly index: number;
  readonly image: ImageSpec;
  /** Relative; empty for all of the image. */
  readonly subPath: string;
}

/**
 * Mounts an image's layers for a container, read-only, and answers the path to bind into it. The image is held for the container's id. In a pod
 * with a user namespace the owners are mapped, as in its roots. Whatever fails carries the reason that the kubelet shows: an image that is not here, a sub path that the image does not have.
 */
export async function mountImageVolume(deps: ContainerDeps, container: ContainerInTheMaking, { index, image, subPath }: ImageVolume, signal: AbortSignal): Promise<{ source: string; imageId: string }> {
  const { id, pod } = container;
  try {
    const { id: imageId, layers } = deps.images.hold(image.image, id);
    const { imageVolumes, copiedImages } = containerPaths(deps.roots, id);
    const directory = join(imageVolumes, String(index));
    const view = { directory, writableDir: join(copiedImages, String(index)), ...treeContent(deps, container, layers) };
    await deps.effects.make({ owner: id, kind: 'image-volume', data: { path: directory } }, () => snapshotterFor(deps.snapshotters, pod).prepareView(view, signal));
    return { imageId, source: findSubPath(treePath(directory), subPath) };
  } catch (error) {
    throw during(error, { act: 'mount image volume', object: image.userSpecifiedImage || image.image, criReason: 'ImageVolumeMountFailed' });
  }
}

/** Symlinks are the image's own and lead where they would inside a container of it, never out of the tree. */
function findSubPath(tree: string, subPath: string): string {
  const object = JSON.stringify(subPath);
  try {
    const found = findBeneath(tree, subPath);
    if (found === undefined) throw failure('not-found', { act: 'find image_sub_path', object, why: 'the image has nothing there' });
    if (found.stats.isDirectory() || found.stats.isFile()) return found.path;
  } catch (error) {
    if (hasCode(error, 'ELOOP')) throw failure('failed-precondition', { act: 'find image_sub_path', object, why: 'its symlinks go in a circle', cause: error });
    throw error;
  }
  throw failure('failed-precondition', { act: 'find image_sub_path', object, why: 'it is neither a directory nor a file' });
}
