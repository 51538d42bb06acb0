import { failure, isKind } from '../../base/errors.ts';
import type { UntaggedImage } from '../../engine/engine.ts';
import { parseReference, repoTagOf } from '../../part/registry/reference.ts';
import type { ContainerSummary, ImageInspect } from '../api/engine-answers.ts';
import { namesOf } from './cri-image.ts';
import type { ImageDeps } from './image-deps.ts';
import { completeName, inspectImage } from './inspect-image.ts';

/** Removes the image with all its names, unless a container uses it, whoever's that is. Absent: success. */
export async function removeImage(deps: ImageDeps, name: string): Promise<void> {
  const found = await inspectImage(deps.api, name);
  if (found === undefined) return;
  await refuseInUse(deps, found, name);
  for (const reference of [...(found.RepoTags ?? []), ...(found.RepoDigests ?? [])].filter((each) => !each.includes('<none>'))) await removeName(deps, reference);
  await removeName(deps, found.Id);
}

/** One that is gone already, with the name before it perhaps, is success. */
export async function removeName({ api }: ImageDeps, name: string): Promise<void> {
  try {
    await api.call<unknown>({ act: { act: 'remove image', object: name }, method: 'DELETE', path: `/images/${name}` });
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
  }
}

/** Looked at before the first name is taken, for the Engine takes names one by one. */
async function refuseInUse({ api }: ImageDeps, { Id }: ImageInspect, name: string): Promise<void> {
  const containers = await api.call<ContainerSummary[]>({ act: { act: 'look for containers of image', object: name }, path: '/containers/json', query: { all: true } });
  const users = containers.filter(({ ImageID }) => ImageID === Id).flatMap(({ Names, Id: id }) => Names[0]?.slice(1) ?? id);
  if (users.length > 0) throw failure('failed-precondition', { act: 'remove image', object: name, why: `it is in use by ${users.slice(0, 5).join(', ')}${users.length > 5 ? ` and ${users.length - 5} more` : ''}: remove the containers first` });
}

/** Gives an image one more tag; another image that had it loses it. Not here: not-found; a digest as the new name: invalid-argument. */
export async function tagImage(deps: ImageDeps, source: string, target: string): Promise<void> {
  const reference = parseReference(target);
  const tag = reference.digest === undefined ? repoTagOf(reference) : undefined;
  if (tag === undefined) throw failure('invalid-argument', { act: 'tag image', object: target, why: 'a digest is what an image has, not what it is called: give a name with a tag' });
  const found = await inspectImage(deps.api, source);
  if (found === undefined) throw failure('not-found', { act: 'tag image', object: source, why: 'it is not on this node: pull or load it first' });
  const colon = tag.lastIndexOf(':');
  await deps.api.call({ act: { act: 'tag image', object: source }, method: 'POST', path: `/images/${found.Id}/tag`, query: { repo: tag.slice(0, colon), tag: tag.slice(colon + 1) } });
}

/** Takes a name from its image. With its last tag the image goes, as it does when it is named by its id. */
export async function untagImage(deps: ImageDeps, name: string): Promise<UntaggedImage> {
  const found = await inspectImage(deps.api, name);
  if (found === undefined) throw failure('not-found', { act: 'remove image', object: name, why: 'it is not on this node' });
  const before = namesOf(found);
  const all = [...before.repoTags, ...before.repoDigests];
  const target = completeName(name);
  const isName = target !== undefined && all.includes(target);
  if (!isName || before.repoTags.length <= 1) {
    await removeImage(deps, found.Id);
    return { id: found.Id, removed: true, names: all };
  }
  await removeName(deps, target);
  const left = await inspectImage(deps.api, found.Id);
  const after = left === undefined ? { repoTags: [], repoDigests: [] } : namesOf(left);
  return { id: found.Id, removed: left === undefined, names: all.filter((each) => ![...after.repoTags, ...after.repoDigests].includes(each)) };
}
