import type { ImageFsInfoRequest, ImageFsInfoResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

export async function imageFsInfo(_request: ImageFsInfoRequest, { engine }: RpcCall): Promise<ImageFsInfoResponse> {
  const { images, containers } = await engine.images.fsInfo();
  return { imageFilesystems: images, containerFilesystems: containers };
}
