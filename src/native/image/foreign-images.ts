/** What other runtimes of this node have, in the one form in which images are adopted. */
import type { Digest } from '../../base/digest.ts';
import type { ImageSource } from '../../engine/engine.ts';
import { findContainerdLayers, openContainerdBlob, openContainerdStore, readContainerdDocument } from '../../part/containerd-store/containerd-store.ts';
import type { ContainerdImage, ContainerdStore } from '../../part/containerd-store/containerd-store.ts';
import { findDockerLayers, openDockerStore, readDockerConfig } from '../../part/docker-store/docker-store.ts';
import type { DockerImage, DockerStore } from '../../part/docker-store/docker-store.ts';
import { measureSplitTar, readSplitTar } from '../../part/docker-store/split-tar.ts';
import { readDocument } from './fetch-document.ts';
import { pairLayers } from './fetch-layers.ts';
import type { ImageDeps } from './image-deps.ts';
import { walkManifests } from './resolve-manifest.ts';
import type { StorableImage, StorableLayer } from './store-image.ts';

export interface ForeignImage {
  /** By the other runtime. */
  readonly calledBy: string;
  /** As the other runtime writes them. */
  readonly names: readonly string[];
  /** Its documents, checked, and how its layers are to be had. Damaged: failed-precondition. For another processor: not-found. */
  read(): Promise<ReadableImage>;
}

export type ReadableImage = Pick<StorableImage, 'config' | 'documents' | 'layers'>;

type Host = Pick<ImageDeps, 'platform'>;

/** Errors: those of openDockerStore and openContainerdStore. */
export async function openForeignImages(host: Host, source: ImageSource): Promise<ForeignImage[]> {
  if (source.from === 'docker') {
    const store = await openDockerStore(source.root);
    return store.images.map((image) => ({ calledBy: image.id, names: image.names, read: () => readDockerImage(host, store, image) }));
  }
  const store = await openContainerdStore(source);
  return store.images.map((image) => ({ calledBy: image.target, names: image.names, read: () => readContainerdImage(host, store, image) }));
}

/** Docker keeps no manifest and no packed layers: the layer's own tar is what comes in. */
async function readDockerImage({ platform }: Host, store: DockerStore, image: DockerImage): Promise<ReadableImage> {
  const config = { digest: image.id, bytes: await readDockerConfig(store, image) };
  const document = readDocument(config, platform);
  const found = await findDockerLayers(store, document.diffIds);
  const layers = document.diffIds.map((diffId, n): StorableLayer => ({
    diffId,
    source: async () => ({ expected: { blob: diffId, size: await measureSplitTar(found[n]!), diffId }, open: () => readSplitTar(found[n]!), twin: found[n]!.directory }),
  }));
  return { config: { digest: config.digest, document }, documents: [config], layers: eachOnce(layers) };
}

async function readContainerdImage({ platform }: Host, store: ContainerdStore, image: ContainerdImage): Promise<ReadableImage> {
  const { manifest, documents } = await walkManifests({ name: image.names[0] ?? image.target, platform }, async (chosen) => {
    const { digest, mediaType } = chosen ?? { digest: image.target, mediaType: image.mediaType };
    return { digest, bytes: await readContainerdDocument(store, digest), contentType: mediaType };
  });
  const config = { digest: manifest.config.digest, bytes: await readContainerdDocument(store, manifest.config.digest) };
  const document = readDocument(config, platform);
  const unpacked = new Map(findContainerdLayers(store, document.diffIds).map((directory, n) => [document.diffIds[n]!, directory]));
  const layers = pairLayers(manifest, document).map(({ blob, diffId }): StorableLayer => ({
    diffId,
    source: async () => {
      const twin = unpacked.get(diffId);
      return { expected: { blob: blob.digest, size: blob.size, diffId }, open: await openContainerdBlob(store, blob.digest), ...(twin === undefined ? {} : { twin }) };
    },
  }));
  return { config: { digest: config.digest, document }, documents: [...documents, config], layers };
}

function eachOnce(layers: readonly StorableLayer[]): StorableLayer[] {
  return [...new Map<Digest, StorableLayer>(layers.map((layer) => [layer.diffId, layer])).values()];
}
