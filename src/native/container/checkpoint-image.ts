import { failure, isKind } from '../../base/errors.ts';
import type { ResolvedImage } from '../image/image-catalog.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { CheckpointSource, OpenedCheckpoint } from './open-checkpoint.ts';

/** An image can come from anybody who may pull; that its processes are let loose with what CRIU makes of them is the administrator's choice. */
export function refuseImage({ restoresImages }: ContainerDeps, source: CheckpointSource): void {
  if ('archive' in source || restoresImages()) return;
  throw failure('failed-precondition', { act: 'restore container', why: 'its image is a checkpoint, and this node restores none of images: set checkpoint.restore_images = true in its configuration, or name an archive file' });
}

/** The image that a captured container is of, held for the container `id`: the very one by its id, else the one of its name. */
export function imageOfCheckpoint({ images }: ContainerDeps, id: string, { images: names }: OpenedCheckpoint): ResolvedImage {
  for (const name of names) {
    try {
      return images.hold(name, id);
    } catch (error) {
      if (!isKind(error, 'not-found') && !isKind(error, 'invalid-argument')) throw error;
    }
  }
  throw failure('not-found', { act: 'find image of checkpoint', object: names.at(-1)!, why: 'it is not on this node: pull it first' });
}

/** Throws failed-precondition for a checkpoint of another image than the one that the request names. */
export function checkImage(image: ResolvedImage, { images: names }: OpenedCheckpoint): void {
  const [captured = ''] = names;
  const digest = captured.replace(/^sha256:/, '');
  if (image.id === `sha256:${digest}`) return;
  throw failure('failed-precondition', { act: 'restore container', why: `it was captured of image ${captured}, and the request names ${image.id}` });
}
