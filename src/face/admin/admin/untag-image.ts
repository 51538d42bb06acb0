import type { UntagImageRequest, UntagImageResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

export async function untagImage({ image }: UntagImageRequest, { engine }: AdminCall): Promise<UntagImageResponse> {
  const { id, removed, names } = await engine.images.untag(image);
  return { id, removed, names: [...names] };
}
