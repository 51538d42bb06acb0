/** Makes a pulled image known: the last step, after all that it needs is on disk. */
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

/** Keeps the documents and records the image under its new names as well; a tag that another image had moves over. */
export async function recordImage(deps: ImageDeps, pulled: PulledImage): Promise<Digest> {
  for (const { digest, bytes } of pulled.documents) await deps.content.put(digest, bytes);
  deps.store.transaction(() => {
    const tag = repoTagOf(pulled.reference);
    const called = calledAs(pulled);
    const tagged = tag === undefined ? undefined : deps.records.tagged(tag);
    if (tagged !== undefined && tagged.id !== pulled.config.digest) deps.records.put({ ...tagged, repoTags: tagged.repoTags.filter((other) => other !== tag) });
    const before = called === undefined ? undefined : deps.records.calledAs(called);
    if (before !== undefined && before.id !== pulled.config.digest) deps.records.put({ ...before, pulledAs: before.pulledAs!.filter((other) => other !== called) });
    deps.records.put(merge(deps.records.get(pulled.config.digest), pulled, { tag, called }));
  });
  return pulled.config.digest;
}

/** A short name that registries.conf takes for something else than Docker Hub's image of that name. */
function calledAs({ reference, spec }: PulledImage): string | undefined {
  const asWritten = formatReference(parseReference(spec.image));
  return asWritten === formatReference(reference) ? undefined : asWritten;
}

function merge(known: ImageRecord | undefined, pulled: PulledImage, { tag, called }: { tag: string | undefined; called: string | undefined }): ImageRecord {
  const { config } = pulled;
  const documents = new Map((known?.documents ?? []).map((document) => [document.digest, document]));
  for (const { digest, bytes } of pulled.documents) documents.set(digest, { digest, size: bytes.length });
  return {
    id: config.digest,
    repoTags: tag === undefined ? known?.repoTags ?? [] : withOne(known?.repoTags, tag),
    repoDigests: withOne(known?.repoDigests, repoDigestOf(pulled.reference, pulled.digest)),
    ...(called === undefined && known?.pulledAs === undefined ? {} : { pulledAs: called === undefined ? known?.pulledAs ?? [] : withOne(known?.pulledAs, called) }),
    layers: config.document.diffIds,
    documents: [...documents.values()],
    config: config.document.config,
    spec: pulled.spec,
    pulledAt: BigInt(Date.now()) * 1_000_000n,
  };
}

function withOne(known: readonly string[] | undefined, item: string): string[] {
  return [...new Set([...(known ?? []), item])];
}
