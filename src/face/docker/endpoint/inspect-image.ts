import { json } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { foundImage } from '../image-document.ts';
import { never } from '../moments.ts';
import { snapshotterOf } from './info.ts';

export const inspectImage: Endpoint = {
  route: 'GET /images/{name…}/json',
  async answer({ engine, documents, param, apiVersion }) {
    const { image } = await foundImage(engine.images, param('name'));
    const [document, node] = await Promise.all([documents.of(image.id), engine.node.status(true)]);
    return json({
      Id: image.id,
      RepoTags: image.repoTags,
      RepoDigests: image.repoDigests,
      Parent: '', Comment: '', DockerVersion: '',
      Created: document.created === '' ? never : document.created,
      Author: document.author,
      Config: document.config,
      Architecture: document.architecture,
      ...(document.variant === '' ? {} : { Variant: document.variant }),
      Os: document.os,
      Size: image.size,
      ...(apiVersion < 44 ? { VirtualSize: image.size } : {}),
      GraphDriver: { Name: snapshotterOf(node.info), Data: null },
      RootFS: { Type: 'layers', Layers: document.layers },
      Metadata: { LastTagTime: never },
    });
  },
};
