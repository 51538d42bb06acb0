import type { ImageStatusRequest, ImageStatusResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

/** An image that is not here is an answer without one, not a failure. */
export async function imageStatus({ image, verbose }: ImageStatusRequest, { engine }: RpcCall): Promise<ImageStatusResponse> {
  const wanted = required(image, 'status of image', 'image');
  required(wanted.image, 'status of image', 'image.image');
  const found = await engine.images.status(wanted, verbose);
  return found ?? { image: undefined, info: {} };
}
