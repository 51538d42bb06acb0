import type { ImageRpcs } from './rpc.ts';
import { imageFsInfo } from './image-service/image-fs-info.ts';
import { imageStatus } from './image-service/image-status.ts';
import { listImages } from './image-service/list-images.ts';
import { pullImage } from './image-service/pull-image.ts';
import { removeImage } from './image-service/remove-image.ts';
import { streamImages } from './image-service/stream-images.ts';

/** The RPCs of ImageService, one a file. */
export const imageService: ImageRpcs = {
  listImages,
  streamImages,
  imageStatus,
  pullImage,
  removeImage,
  imageFsInfo,
};
