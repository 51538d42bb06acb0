/** Makes an image known: the last step, after all that it needs is on disk. */
import type { Digest } from '../../base/digest.ts';
import type { ImageDocument } from '../../part/content/image-document.ts';
import { formatReference, parseReference, repoDigestOf, repoTagOf } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import type { ImageSpec } from '../../gen/cri.ts';
import type { ImageDeps } from './image-deps.ts';
import type { ImageRecord } from './image-records.ts';
import type { ImageBlob } from './resolve-manifest.ts';

export interface PulledImage {
  readonly reference: ImageReference;
  readonly spec: ImageSpec;
  /** What the reference stood for at the registry. */
  readonly digest: Digest;
  readonly documents: readonly ImageBlob[];
  readonly config: { readonly digest: Digest; readonly document: ImageDocument };
}

/** An image and what it is to be called from now on, besides the names that it has. */
export interface NamedImage {
  /** Complete names. */
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly pulledAs: string | undefined;
  readonly spec: ImageSpec;
  readonly documents: readonly ImageBlob[];
  readonly config: PulledImage['config'];
}

/** Keeps the documents and records the image under its new names as well; a tag that another image had moves over. */
export async function recordImage(deps: ImageDeps, pulled: PulledImage): Promise<Digest> {
  const { reference, spec, digest, documents, config } = pulled;
  const tag = repoTagOf(reference);
  return await recordNamedImage(deps, {
    repoTags: tag === undefined ? [] : [tag], repoDigests: [repoDigestOf(reference, digest)], pulledAs: calledAs(pulled), spec, documents, config,
  });
}

/** The same for an image that may have several names, or none. */
export async function recordNamedImage(deps: Pick<ImageDeps, 'content' | 'store' | 'records'>, image: NamedImage): Promise<Digest> {
  const id = image.config.digest;
  await Promise.all(image.documents.map(({ digest, bytes }) => deps.content.put(digest, bytes)));
  deps.store.transaction(() => {
    for (const tag of image.repoTags) takeTag(deps, tag, id);
    const called = image.pulledAs;
    const before = called === undefined ? undefined : deps.records.calledAs(called);
    if (before !== undefined && before.id !== id) deps.records.put({ ...before, pulledAs: before.pulledAs!.filter((other) => other !== called) });
    deps.records.put(merge(deps.records.get(id), image));
  });
  return id;
}

/** Takes a tag from the image that has it, unless that is image `id`. */
export function takeTag(deps: Pick<ImageDeps, 'records'>, tag: string, id: Digest): void {
  const tagged = deps.records.tagged(tag);
  if (tagged !== undefined && tagged.id !== id) deps.records.put({ ...tagged, repoTags: tagged.repoTags.filter((other) => other !== tag) });
}

/** A short name that registries.conf takes for something else than Docker Hub's image of that name. */
function calledAs({ reference, spec }: PulledImage): string | undefined {
  const asWritten = formatReference(parseReference(spec.image));
  return asWritten === formatReference(reference) ? undefined : asWritten;
}

function merge(known: ImageRecord | undefined, image: NamedImage): ImageRecord {
  const { config, pulledAs } = image;
  const documents = new Map((known?.documents ?? []).map((document) => [document.digest, document]));
  for (const { digest, bytes } of image.documents) documents.set(digest, { digest, size: bytes.length });
  return {
    id: config.digest,
    repoTags: union(known?.repoTags, image.repoTags),
    repoDigests: union(known?.repoDigests, image.repoDigests),
    ...(pulledAs === undefined && known?.pulledAs === undefined ? {} : { pulledAs: union(known?.pulledAs, pulledAs === undefined ? [] : [pulledAs]) }),
    layers: config.document.diffIds,
    documents: [...documents.values()],
    config: config.document.config,
    spec: image.spec,
    pulledAt: BigInt(Date.now()) * 1_000_000n,
  };
}

function union(known: readonly string[] | undefined, more: readonly string[]): string[] {
  return [...new Set([...(known ?? []), ...more])];
}
