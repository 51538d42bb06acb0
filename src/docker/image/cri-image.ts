import { ImageSpec } from '../../gen/cri.ts';
import type { Image } from '../../gen/cri.ts';
import { isPinned } from '../../part/registry/pinned-images.ts';
import type { ImageSummary } from '../api/engine-answers.ts';
import { infraRepository } from '../pod/infra-image.ts';
import { completeName } from './inspect-image.ts';

const largestUid = 2 ** 31 - 1;

/** The Engine leaves the names of Docker Hub out; the CRI has them whole. The infra image is pinned: the kubelet must not take it for rubbish. */
export function toCriImage(image: ImageSummary, { user, pinned }: { readonly user: string; readonly pinned: readonly string[] }): Image {
  const names = namesOf(image);
  const first = user.split(':', 1)[0] ?? '';
  // A number out of range must not become one (CVE-2024-40635).
  const isUid = /^[0-9]+$/.test(first) && Number(first) <= largestUid;
  return {
    id: image.Id,
    ...names,
    size: BigInt(image.Size),
    uid: isUid ? { value: BigInt(first) } : undefined,
    username: isUid ? '' : first,
    spec: { ...ImageSpec.decode(new Uint8Array()), image: names.repoTags[0] ?? names.repoDigests[0] ?? image.Id },
    pinned: names.repoTags.some((name) => name.startsWith(`${infraRepository}:`)) || isPinned({ id: image.Id, ...names }, pinned),
  };
}

export function namesOf({ RepoTags, RepoDigests }: ImageSummary): { repoTags: string[]; repoDigests: string[] } {
  const whole = (names: readonly string[] | null): string[] => (names ?? []).filter((name) => !name.includes('<none>')).map((name) => completeName(name) ?? name);
  return { repoTags: whole(RepoTags), repoDigests: whole(RepoDigests) };
}
