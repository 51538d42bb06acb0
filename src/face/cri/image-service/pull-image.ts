import type { PullImageRequest, PullImageResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

export async function pullImage({ image, auth, sandboxConfig }: PullImageRequest, { engine, ctx }: RpcCall): Promise<PullImageResponse> {
  const wanted = required(image, 'pull image', 'image');
  required(wanted.image, 'pull image', 'image.image');
  return { imageRef: await engine.images.pull({ image: wanted, auth, podConfig: sandboxConfig }, ctx) };
}
