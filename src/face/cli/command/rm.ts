import { ContainerState, ImageServiceService as imageService, PodSandboxState, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import { failure, messageOf } from '../../../base/errors.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne } from '../find.ts';
import { imageSpec } from '../image-spec.ts';
import { listContainers, listImages, listPods, type FoundContainer, type FoundImage, type FoundPod } from '../inventory.ts';
import { printable, say, write } from '../io.ts';
import { stopPod } from './stop.ts';

type Found = FoundPod | FoundContainer | FoundImage;

export const rm: Command = {
  name: 'rm',
  summary: 'remove containers, pods with all their containers, or images',
  usage: 'gantry rm [flags] NAME…',
  details: 'What still runs is refused without --force. An image is removed with all its tags.',
  flags: [{ name: 'force', short: 'f', help: 'kill what runs first' }],
  operands: ['NAME'],
  many: true,
  examples: ['gantry rm web/client', 'gantry rm -f default/web', 'gantry rm localhost:5000/demo/busybox:1'],

  async run(args, { io, connect }) {
    const cri = await connect();
    const [pods, containers, images] = await Promise.all([listPods(cri), listContainers(cri), listImages(cri)]);
    const things: Found[] = [...pods, ...containers.map((one) => ({ ...one, aliases: [] })), ...images];
    let code = 0;
    for (const word of args.operands) {
      try {
        await remove(cri, findOne(word, things, 'remove'), args.on('force'), containers);
        await say(io, word);
      } catch (error) {
        code = 1;
        await write(io.stderr, `${printable(`gantry rm: ${messageOf(error)}`)}\n`);
      }
    }
    return code;
  },
};

async function remove(cri: CriClient, found: Found, force: boolean, containers: readonly FoundContainer[]): Promise<void> {
  const options = { act: `remove ${found.kind}`, object: found.title, deadlineMs: 120_000 };
  switch (found.kind) {
    case 'container':
      if (!force && found.container.state === ContainerState.CONTAINER_RUNNING) throw stillRuns(options, 'it runs');
      await cri.call(runtime.removeContainer, { containerId: found.id }, options);
      return;
    case 'pod':
      if (!force && found.pod.state === PodSandboxState.SANDBOX_READY) {
        const running = containers.filter((one) => one.container.podSandboxId === found.id && one.container.state === ContainerState.CONTAINER_RUNNING);
        throw stillRuns(options, running.length === 0 ? 'it is ready' : `it runs ${running.map((one) => one.container.metadata?.name).join(', ')}`);
      }
      await stopPod(cri, found);
      await cri.call(runtime.removePodSandbox, { podSandboxId: found.id }, options);
      return;
    case 'image': {
      // Not every runtime refuses, and an image that disappears under a container breaks its restart.
      const user = containers.find((one) => one.container.imageRef === found.id || one.container.imageId === found.id);
      if (user && !force) throw failure('failed-precondition', { ...options, why: `container ${user.title} uses it: remove that first, or use --force` });
      await cri.call(imageService.removeImage, { image: imageSpec(found.id) }, options);
    }
  }
}

function stillRuns(call: { act: string; object: string }, why: string): Error {
  return failure('failed-precondition', { ...call, why: `${why}: stop it first, or use --force` });
}
