import type { ListImagesRequest, ListImagesResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

export async function listImages({ filter }: ListImagesRequest, { engine }: RpcCall): Promise<ListImagesResponse> {
  return { images: await engine.images.list(filter) };
}
