/** From a reference to the one manifest that is for this node. */
import type { Digest } from '../../base/digest.ts';
import { failure } from '../../base/errors.ts';
import { parseManifest } from '../../part/registry/manifest.ts';
import type { Descriptor, ImageIndex, ImageManifest } from '../../part/registry/manifest.ts';
import { choosePlatform, formatPlatform } from '../../part/registry/platform.ts';
import type { Platform } from '../../part/registry/platform.ts';
import { formatReference } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import type { RegistrySources } from '../../part/registry/registry-sources.ts';

export interface ImageBlob {
  readonly digest: Digest;
  readonly bytes: Buffer;
}

export interface ResolvedManifest {
  /** What the reference stands for at the registry: of the index where there is one. */
  readonly digest: Digest;
  readonly manifest: ImageManifest;
  /** The manifest and the indexes that led to it, as received. */
  readonly documents: readonly ImageBlob[];
}

/** An index may point to an index; deeper nesting has no use but mischief. */
const deepestIndex = 2;

/** Gets manifests until one describes an image. None for the platform: not-found, naming those that there are. */
export async function resolveManifest(request: { sources: RegistrySources; reference: ImageReference; platform: Platform; signal: AbortSignal }): Promise<ResolvedManifest> {
  const { sources, reference, platform, signal } = request;
  const first = reference.digest ?? reference.tag ?? 'latest';
  return await walkManifests({ name: formatReference(reference), platform }, async (chosen) => await sources.getManifest(chosen?.digest ?? first, signal));
}

export interface ReceivedManifest extends ImageBlob {
  /** The media type that it is said to have. */
  readonly contentType: string;
}

/** From a first document, for which `get` is asked with undefined, through indexes to the manifest for the platform. Errors: those of resolveManifest. */
export async function walkManifests(image: { name: string; platform: Platform }, get: (chosen: Descriptor | undefined) => Promise<ReceivedManifest>): Promise<ResolvedManifest> {
  const documents: ImageBlob[] = [];
  let chosen: Descriptor | undefined;
  for (let depth = 0; depth <= deepestIndex; depth++) {
    const received = await get(chosen);
    const parsed = parseManifest(received.bytes, received.contentType, `${image.name} (${received.digest})`);
    documents.push({ digest: received.digest, bytes: received.bytes });
    if (parsed.kind === 'manifest') return { digest: documents[0]?.digest ?? received.digest, manifest: parsed, documents };
    chosen = chooseManifest(parsed, image.platform, image.name);
  }
  throw failure('failed-precondition', { act: 'read index', object: image.name, why: `it nests indexes more than ${deepestIndex} deep` });
}

function chooseManifest(index: ImageIndex, platform: Platform, name: string): Descriptor {
  // An entry that names no platform can only be meant for everyone.
  const chosen = choosePlatform(platform, index.manifests) ?? index.manifests.find((entry) => entry.platform === undefined);
  if (chosen !== undefined) return chosen;
  const offered = index.manifests.flatMap((entry) => (entry.platform === undefined || entry.platform.os === 'unknown' ? [] : [formatPlatform(entry.platform)]));
  throw failure('not-found', {
    act: 'choose manifest of', object: name, why: `there is none for ${formatPlatform(platform)}; it has ${offered.slice(0, 20).join(', ') || 'nothing'}`,
  });
}
