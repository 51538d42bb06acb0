/** What a text says of an image's names. */
import { isKind } from '../../base/errors.ts';
import { parseReference, repoDigestOf, repoTagOf } from '../../part/registry/reference.ts';
import type { ImageRecord } from './image-records.ts';

/** The image's tag that `text` is, completed; undefined when it is an id, a digest or a name for another. */
export function givenTag(record: Pick<ImageRecord, 'repoTags'>, text: string): string | undefined {
  const name = completed(text);
  return name !== undefined && record.repoTags.includes(name) ? name : undefined;
}

/** The image's `name@digest` that `text` is, completed. */
export function givenDigest(record: Pick<ImageRecord, 'repoDigests'>, text: string): string | undefined {
  const name = completed(text);
  return name !== undefined && record.repoDigests.includes(name) ? name : undefined;
}

function completed(text: string): string | undefined {
  try {
    const reference = parseReference(text);
    return reference.digest === undefined ? repoTagOf(reference) : repoDigestOf(reference, reference.digest);
  } catch (error) {
    if (isKind(error, 'invalid-argument')) return undefined;
    throw error;
  }
}
