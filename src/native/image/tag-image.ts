/** Names of images that are here: one more, or one less. */
import { failure } from '../../base/errors.ts';
import type { UntaggedImage } from '../../engine/engine.ts';
import { parseReference, repoTagOf } from '../../part/registry/reference.ts';
import type { ImageDeps } from './image-deps.ts';
import { givenDigest, givenTag } from './image-names.ts';
import type { ImageRecord } from './image-records.ts';
import { takeTag } from './record-image.ts';
import { removeImage } from './remove-image.ts';

/** Gives an image one more tag; another image that had it loses it. Not here: not-found; a digest as the new name: invalid-argument. */
export function tagImage(deps: Pick<ImageDeps, 'records' | 'store'>, source: string, target: string): void {
  const reference = parseReference(target);
  const tag = reference.digest === undefined ? repoTagOf(reference) : undefined;
  if (tag === undefined) throw failure('invalid-argument', { act: 'tag image', object: target, why: 'a digest is what an image has, not what it is called: give a name with a tag' });
  const record = deps.records.find(source);
  if (record === undefined) throw failure('not-found', { act: 'tag image', object: source, why: 'it is not on this node: pull or load it first' });
  if (record.repoTags.includes(tag)) return;
  deps.store.transaction(() => {
    takeTag(deps, tag, record.id);
    deps.records.put({ ...record, repoTags: [...record.repoTags, tag] });
  });
}

/**
 * Takes a name from its image. With its last name the image goes, as it does when it is named by its id: then as removeImage. The last tag of a
 * repository takes the repository's digests with it, which came by the same pull.
 */
export async function untagImage(deps: ImageDeps, name: string): Promise<UntaggedImage> {
  const record = deps.records.find(name);
  if (record === undefined) throw failure('not-found', { act: 'remove image', object: name, why: 'it is not on this node' });
  const left = withoutName(record, name);
  if (left === undefined || left.repoTags.length + left.repoDigests.length === 0) {
    await removeImage(deps, record.id);
    return { id: record.id, removed: true, names: [...record.repoTags, ...record.repoDigests] };
  }
  deps.records.put(left);
  const isGone = (other: string): boolean => ![...left.repoTags, ...left.repoDigests].includes(other);
  return { id: record.id, removed: false, names: [...record.repoTags, ...record.repoDigests].filter(isGone) };
}

/** Undefined when the text is no name of the image but its id. */
function withoutName(record: ImageRecord, name: string): ImageRecord | undefined {
  const tag = givenTag(record, name);
  if (tag !== undefined) {
    const repository = repositoryOf(tag);
    const repoTags = record.repoTags.filter((other) => other !== tag);
    const isLast = !repoTags.some((other) => repositoryOf(other) === repository);
    return { ...record, repoTags, repoDigests: record.repoDigests.filter((other) => !isLast || repositoryOf(other) !== repository) };
  }
  const digest = givenDigest(record, name);
  return digest === undefined ? undefined : { ...record, repoDigests: record.repoDigests.filter((other) => other !== digest) };
}

function repositoryOf(name: string): string {
  const named = name.split('@', 1)[0] ?? name;
  const colon = named.lastIndexOf(':');
  return name.includes('@') || colon < named.lastIndexOf('/') ? named : named.slice(0, colon);
}
