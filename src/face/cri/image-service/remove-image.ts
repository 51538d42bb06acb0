import type { RemoveImageRequest, RemoveImageResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function removeImage({ image }: RemoveImageRequest, { engine, ctx }: RpcCall): Promise<RemoveImageResponse> {
  const wanted = required(image, 'remove image', 'image');
  required(wanted.image, 'remove image', 'image.image');
  await engine.images.remove(wanted, ctx);
  return {};
}
