/** The image configuration: fetched, verified, understood, and for this node. */
import { digestOf } from '../../base/digest.ts';
import { failure } from '../../base/errors.ts';
import { parseImageDocument } from '../../part/content/image-document.ts';
import type { ImageDocument } from '../../part/content/image-document.ts';
import { largestDocument } from '../../part/content/content-store.ts';
import { downloadDocument } from '../../part/registry/download-blob.ts';
import type { Descriptor } from '../../part/registry/manifest.ts';
import { formatPlatform, platformRank } from '../../part/registry/platform.ts';
import type { Platform } from '../../part/registry/platform.ts';
import type { RegistrySources } from '../../part/registry/registry-sources.ts';
import type { ImageBlob } from './resolve-manifest.ts';

/** Not what its digest says: unavailable. For another operating system or processor: not-found. */
export async function fetchDocument(sources: RegistrySources, config: Descriptor, platform: Platform, signal: AbortSignal): Promise<ImageBlob & { document: ImageDocument }> {
  const bytes = await sources.verified(config.digest, signal, () => fetchVerified(sources, config, signal));
  return { digest: config.digest, bytes, document: readDocument({ digest: config.digest, bytes }, platform) };
}

/** Understands a configuration. Malformed: failed-precondition. For another operating system or processor: not-found. */
export function readDocument({ digest, bytes }: ImageBlob, platform: Platform): ImageDocument {
  const document = parseImageDocument(bytes, digest);
  const isForUs = document.architecture === '' || platformRank(platform, document) !== undefined;
  if (!isForUs) throw failure('not-found', { act: 'choose platform', why: `the image is for ${formatPlatform(document)}, this node is ${formatPlatform(platform)}` });
  return document;
}

async function fetchVerified(sources: RegistrySources, config: Descriptor, signal: AbortSignal): Promise<Buffer> {
  const bytes = await downloadDocument(sources, config, largestDocument, signal);
  const actual = digestOf(bytes);
  if (actual === config.digest) return bytes;
  throw failure('unavailable', { act: 'verify image configuration', object: config.digest, why: `what ${sources.host} sent has the digest ${actual}` });
}
