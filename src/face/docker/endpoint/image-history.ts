import { json } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { foundImage } from '../image-document.ts';
import { momentOf } from '../moments.ts';

/** The steps that made an image, the last first, each with what its layer takes on disk. */
export const imageHistory: Endpoint = {
  route: 'GET /images/{name…}/history',
  async answer({ engine, documents, param }) {
    const { image } = await foundImage(engine.images, param('name'));
    const [document, usage] = await Promise.all([documents.of(image.id), engine.images.diskUsage()]);
    const bytesOf = new Map(usage.layers.map(({ diffId, bytes }) => [diffId, bytes]));
    let layer = 0;
    const steps = document.history.map(({ created, createdBy, comment, empty }) => ({
      Id: '<missing>',
      Created: (momentOf(created) ?? 0n) / 1_000_000_000n,
      CreatedBy: createdBy,
      Tags: null as readonly string[] | null,
      Size: empty ? 0n : (bytesOf.get(document.layers[layer++] ?? '') ?? 0n),
      Comment: comment,
    })).reverse();
    if (steps[0] !== undefined) steps[0] = { ...steps[0], Id: image.id, Tags: image.repoTags };
    return json(steps);
  },
};
