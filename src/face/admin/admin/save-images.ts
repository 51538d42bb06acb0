import { failure } from '../../../base/errors.ts';
import { archiveFormats } from '../../../engine/engine.ts';
import type { SaveImagesRequest, SaveImagesResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

/** Headers and small files of a layer come one by one: they are sent together, as many as this. */
const messageBytes = 256 * 1024;

export async function* saveImages({ images, format }: SaveImagesRequest, { engine, ctx }: AdminCall): AsyncGenerator<SaveImagesResponse> {
  const known = archiveFormats.find((one) => one === format);
  if (known === undefined) throw failure('invalid-argument', { act: 'save images', object: 'format', why: `${JSON.stringify(format)} is none of ${archiveFormats.join(', ')}` });
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const piece of engine.images.save(images, known, ctx)) {
    waiting.push(piece);
    length += piece.length;
    if (length < messageBytes) continue;
    yield { data: Buffer.concat(waiting) };
    waiting = [];
    length = 0;
  }
  if (length > 0) yield { data: Buffer.concat(waiting) };
}
