/** Images of a play: pulled as their policy says, each once. */
import { failure } from '../../../base/errors.ts';
import { ImageServiceService as imageService } from '../../../gen/cri.ts';
import type { CriClient } from '../client.ts';
import { imageSpec } from '../image-spec.ts';
import type { ContainerSpec } from './manifest.ts';
import type { ImageUser } from './security-to-cri.ts';

export interface ReadyImage {
  readonly id: string;
  readonly user: ImageUser;
}

const pullDeadlineMs = 60 * 60 * 1000;

/** Image that containers of this play may run; `step` wraps a pull, which may take long. */
export class PlayImages {
  readonly #cri: CriClient;
  readonly #pulled = new Set<string>();

  constructor(cri: CriClient) {
    this.#cri = cri;
  }

  /** Makes the image present. Policy Never and not here: not-found, with what to do. */
  async ready(container: ContainerSpec, step: (what: string, work: () => Promise<void>) => Promise<void>): Promise<ReadyImage> {
    const { image, pullPolicy } = container;
    const present = await this.#status(image);
    const mustPull = pullPolicy === 'Always' ? !this.#pulled.has(image) : !present;
    if (!mustPull && present) return present;
    if (pullPolicy === 'Never') {
      throw failure('not-found', { act: 'use image', object: image, why: 'it is not on this node, and imagePullPolicy is Never: pull it first, or say IfNotPresent' });
    }
    await step(`pull ${image}`, () => this.#pull(image));
    this.#pulled.add(image);
    const pulled = await this.#status(image);
    if (!pulled) throw failure('internal', { act: 'use image', object: image, why: 'the runtime pulled it and does not know it' });
    return pulled;
  }

  async #pull(image: string): Promise<void> {
    const options = { act: 'pull image', object: image, deadlineMs: pullDeadlineMs };
    await this.#cri.call(imageService.pullImage, { image: imageSpec(image), auth: undefined, sandboxConfig: undefined }, options);
  }

  async #status(reference: string): Promise<ReadyImage | undefined> {
    const { image } = await this.#cri.call(imageService.imageStatus, { image: imageSpec(reference), verbose: false }, { act: 'look for image', object: reference });
    if (!image) return undefined;
    // An image without a user runs as root.
    const uid = image.uid?.value ?? (image.username === '' ? 0n : undefined);
    return { id: image.id, user: { uid, username: image.username } };
  }
}
