import { imageNames } from '../changes.ts';
import { containerDocument } from '../container-document.ts';
import { json } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { factsOf, namedItem } from '../item-facts.ts';
import { isOn } from '../query.ts';
import { runtimeFacts } from '../runtime-facts.ts';
import { sizesOf } from '../sizes.ts';
import { snapshotterOf } from './info.ts';

export const inspectContainer: Endpoint = {
  route: 'GET /containers/{id}/json',
  async answer({ engine, query, param }) {
    const item = await namedItem(engine, param('id'));
    const owner = item.kind === 'pod' ? engine.pods : engine.containers;
    const [facts, { info }, images, node] = await Promise.all([factsOf(engine, item), owner.status(item.id, true), engine.images.list(undefined), engine.node.status(true)]);
    const size = isOn(query, 'size') ? (await sizesOf(engine))(item) : undefined;
    return json(containerDocument(facts, { imageName: imageNames(images), runtime: runtimeFacts(info), snapshotter: snapshotterOf(node.info), size }));
  },
};
