import type { LoadImagesRequest, LoadImagesResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

export async function loadImages(requests: AsyncIterable<LoadImagesRequest>, { engine, ctx }: AdminCall): Promise<LoadImagesResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = await messages.next();
  const name = first.done === true ? '' : first.value.name;
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for (let message = first; message.done !== true; message = await messages.next()) yield message.value.data;
  };
  const images = await engine.images.load(bytes(), name === '' ? {} : { name }, ctx);
  return { images: images.map(({ id, names }) => ({ id, names: [...names] })) };
}
