import type { TagImageRequest, TagImageResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

export async function tagImage({ image, target }: TagImageRequest, { engine }: AdminCall): Promise<TagImageResponse> {
  await engine.images.tag(image, target);
  return {};
}
