import { imageNames } from '../changes.ts';
import { containerSummary } from '../container-summary.ts';
import { json } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { imageSummary } from '../image-summary.ts';
import { inventory } from '../inventory.ts';
import { factsOf } from '../item-facts.ts';
import { nowNs } from '../moments.ts';
import { sizesOf } from '../sizes.ts';

/** From records and counters, as `gantry df`. */
export const diskUsage: Endpoint = {
  route: 'GET /system/df',
  async answer({ engine, documents, apiVersion }) {
    const [items, images, usage, sizes] = await Promise.all([inventory(engine), engine.images.list(undefined), engine.images.diskUsage(), sizesOf(engine)]);
    const documentOf = await documents.ofAll(images.map(({ id }) => id));
    const usageOf = new Map(usage.images.map((one) => [one.id, one]));
    const facts = await Promise.all(items.filter(({ kind }) => kind === 'container').map((item) => factsOf(engine, item)));
    return json({
      LayersSize: usage.layers.reduce((sum, { bytes }) => sum + bytes, 0n),
      Images: images.map((image) => ({ ...imageSummary(image, documentOf.get(image.id), apiVersion), SharedSize: usageOf.get(image.id)?.sharedBytes ?? 0n, Containers: usageOf.get(image.id)?.containers ?? 0 })),
      Containers: facts.map((one) => containerSummary(one, { imageName: imageNames(images), command: [], size: sizes(one.item), now: nowNs() })),
      Volumes: [],
      BuildCache: [],
    });
  },
};
