/** Images as the CRI shows them. */
import type { Image } from '../../gen/cri.ts';
import type { VerboseInfo } from '../../engine/engine.ts';
import type { ImageDeps } from './image-deps.ts';
import type { ImageRecord } from './image-records.ts';
import { isPinned } from '../../part/registry/pinned-images.ts';

const largestUid = 2 ** 31 - 1;

/** `size` is what the layers take on disk, also those that other images share: what people ask and what removal frees at best. */
export function toCriImage(deps: Pick<ImageDeps, 'layers' | 'pinned'>, record: ImageRecord): Image {
  return {
    id: record.id,
    repoTags: [...record.repoTags],
    repoDigests: [...record.repoDigests],
    size: sizeOf(deps, record),
    ...userOf(record.config.User ?? ''),
    spec: record.spec,
    pinned: isPinned(record, deps.pinned()),
  };
}

/** The `info` map of a verbose status: `info` is JSON as containerd's, with the image's configuration under `imageSpec`. */
export async function imageInfo(deps: Pick<ImageDeps, 'content'>, record: ImageRecord): Promise<VerboseInfo> {
  const document: unknown = JSON.parse((await deps.content.get(record.id)).toString('utf8'));
  return { info: JSON.stringify({ imageSpec: document, layers: record.layers, pulledAt: new Date(Number(record.pulledAt / 1_000_000n)).toISOString() }) };
}

function sizeOf(deps: Pick<ImageDeps, 'layers'>, record: ImageRecord): bigint {
  let bytes = 0;
  for (const diffId of new Set(record.layers)) bytes += deps.layers.get(diffId)?.bytes ?? 0;
  return BigInt(bytes);
}

/**
 * `User` is `user[:group]`. The kubelet checks runAsNonRoot with a number only, so a number out of range must not become one
 * (CVE-2024-40635): it stays a name, which the kubelet can't verify and therefore refuses.
 */
function userOf(user: string): Pick<Image, 'uid' | 'username'> {
  const name = user.split(':', 1)[0] ?? '';
  const isUid = /^[0-9]+$/.test(name) && Number(name) <= largestUid;
  return isUid ? { uid: { value: BigInt(name) }, username: '' } : { uid: undefined, username: name };
}
