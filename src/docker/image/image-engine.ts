/** The engine contract for images, which are the Engine's: those that others pulled or built with it too. */
import { failure } from '../../base/errors.ts';
import { SharedWork } from '../../base/shared-work.ts';
import type { ImageEngine, VerboseInfo } from '../../engine/engine.ts';
import type { Image } from '../../gen/cri.ts';
import { parseReference } from '../../part/registry/reference.ts';
import type { ImageInspect, ImageSummary } from '../api/engine-answers.ts';
import { loadImages, saveImages } from './archives.ts';
import { checkLoadPolicy, checkPullPolicy } from './check-policy.ts';
import { toCriImage } from './cri-image.ts';
import { containerFilesystem, diskUsage, imageFilesystem, listImages } from './disk-usage.ts';
import type { ImageDeps } from './image-deps.ts';
import { inspectImage } from './inspect-image.ts';
import { LayerSizes } from './layer-sizes.ts';
import { pullImage } from './pull-image.ts';
import { PullProgress } from './pulls-in-flight.ts';
import { removeImage, tagImage, untagImage } from './remove-image.ts';

export function createImageEngine(deps: ImageDeps): ImageEngine {
  const pulling = new SharedWork<string>();
  const inFlight = new Set<PullProgress>();
  const sizes = new LayerSizes(deps.api);
  const users = new Map<string, string>();

  const show = async (image: ImageSummary): Promise<Image> => {
    const user = users.get(image.Id) ?? (await inspectImage(deps.api, image.Id))?.Config?.User ?? '';
    users.set(image.Id, user);
    return toCriImage(image, { user, pinned: deps.pinned() });
  };
  return {
    pull: ({ image, auth }, ctx) => pulling.run(JSON.stringify([image.image, auth]), ctx.signal, async (signal) => {
      const progress = new PullProgress(image.image);
      inFlight.add(progress);
      try {
        await checkPullPolicy(deps.policy, parseReference(image.image));
        return await pullImage(deps.api, { image: image.image, auth }, { progress, signal });
      } finally {
        inFlight.delete(progress);
      }
    }),
    async list(filter) {
      const name = filter?.image?.image ?? '';
      if (name !== '') {
        const found = await inspectImage(deps.api, name);
        return found === undefined ? [] : [await show(found)];
      }
      const all = await listImages(deps);
      for (const id of users.keys()) if (!all.some(({ Id }) => Id === id)) users.delete(id);
      return await Promise.all(all.map(show));
    },
    async status({ image }, verbose) {
      const found = await inspectImage(deps.api, image);
      if (found === undefined) return undefined;
      return { image: await show(found), info: verbose ? infoOf(found) : {} };
    },
    remove: ({ image }) => removeImage(deps, image),
    async load(bytes, { name }, ctx) {
      await checkLoadPolicy(deps.policy);
      return await loadImages(deps, bytes, { name, ctx });
    },
    adopt: () => {
      throw failure('failed-precondition', { act: 'adopt images', why: 'with engine = "docker" images are the Docker Engine\'s own: adopt them with engine = "native"' });
    },
    save: (names, format, ctx) => saveImages(deps, names, format, ctx),
    tag: (source, target) => tagImage(deps, source, target),
    untag: (name) => untagImage(deps, name),
    fsInfo: async () => ({ images: [await imageFilesystem(deps, sizes)], containers: [await containerFilesystem(deps)] }),
    pulls: async () => [...inFlight].map((pull) => pull.snapshot()),
    diskUsage: async () => diskUsage(deps, sizes),
  };
}

function infoOf({ Config, RootFS }: ImageInspect): VerboseInfo {
  return { info: JSON.stringify({ imageSpec: { config: Config, rootfs: RootFS } }) };
}
