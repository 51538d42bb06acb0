/** The image configuration: fetched, verified, understood, and for this node. */
import { createHash } from 'node:crypto';
import { failure } from '../../base/errors.ts';
import { parseImageDocument } from '../../part/content/image-document.ts';
import type { ImageDocument } from '../../part/content/image-document.ts';
import { largestDocument } from '../../part/content/content-store.ts';
import { downloadDocument } from '../../part/registry/download-blob.ts';
import type { Descriptor } from '../../part/registry/manifest.ts';
import { formatPlatform, platformRank } from '../../part/registry/platform.ts';
import type { Platform } from '../../part/registry/platform.ts';
import type { RegistrySession } from '../../part/registry/registry-session.ts';
import type { ImageBlob } from './resolve-manifest.ts';

/** Not what its digest says: unavailable. For another operating system or processor: not-found. */
export async function fetchDocument(session: RegistrySession, config: Descriptor, platform: Platform, signal: AbortSignal): Promise<ImageBlob & { document: ImageDocument }> {
  const bytes = await downloadDocument(session, config, largestDocument, signal);
  const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (actual !== config.digest) throw failure('unavailable', { act: 'verify image configuration', object: config.digest, why: `what ${session.host} sent has the digest ${actual}` });

  const document = parseImageDocument(bytes, config.digest);
  const isForUs = document.architecture === '' || platformRank(platform, document) !== undefined;
  if (!isForUs) throw failure('not-found', { act: 'choose platform', why: `the image is for ${formatPlatform(document)}, this node is ${formatPlatform(platform)}` });
  return { digest: config.digest, bytes, document };
}
