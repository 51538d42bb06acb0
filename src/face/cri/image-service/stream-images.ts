import type { StreamImagesRequest, StreamImagesResponse } from '../../../gen/cri.ts';
import { inMessages } from '../in-messages.ts';
import type { RpcCall } from '../rpc.ts';

export async function* streamImages({ filter }: StreamImagesRequest, { engine }: RpcCall): AsyncGenerator<StreamImagesResponse> {
  for (const images of inMessages(await engine.images.list(filter))) yield { images };
}
