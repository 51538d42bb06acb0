import { ImageServiceService as imageService, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne } from '../find.ts';
import { imageSpec } from '../image-spec.ts';
import { listContainers, listImages, listPods, type FoundContainer, type FoundImage, type FoundPod } from '../inventory.ts';
import { say } from '../io.ts';
import { infoJson, messageJson, podJson, type Json } from '../proto-json.ts';
import { failure } from '../../../base/errors.ts';

export const inspect: Command = {
  name: 'inspect',
  summary: 'print all that the runtime knows about a pod, container or image, as JSON',
  usage: 'gantry inspect [flags] NAME',
  details: 'NAME is an id or its beginning, a pod (web, default/web), a container (client, web/client) or an image reference.',
  flags: [],
  operands: ['NAME'],
  examples: ['gantry inspect web/client', "gantry inspect localhost:5000/demo/busybox:1 | jq '.status.size'"],

  async run(args, { io, connect }) {
    const cri = await connect();
    const [pods, containers, images] = await Promise.all([listPods(cri), listContainers(cri), listImages(cri)]);
    // A pod's name means the pod here, so its containers do not answer to it.
    const exact = containers.map((one) => ({ ...one, aliases: [] }));
    const found = findOne<FoundPod | FoundContainer | FoundImage>(args.operands[0]!, [...pods, ...exact, ...images], 'inspect');

    await say(io, JSON.stringify(await details(cri, found), null, 2));
    return 0;
  },
};

/** What the runtime knows about one thing, as JSON. */
export async function details(cri: CriClient, found: FoundPod | FoundContainer | FoundImage): Promise<Json> {
  const asking = { act: `inspect ${found.kind}`, object: found.title };
  switch (found.kind) {
    case 'pod': {
      const answer = await cri.call(runtime.podSandboxStatus, { podSandboxId: found.id, verbose: true }, asking);
      return { kind: 'pod', status: podJson(answer.status ?? {}), containers: answer.containersStatuses.map(messageJson), info: infoJson(answer.info) };
    }
    case 'container': {
      const answer = await cri.call(runtime.containerStatus, { containerId: found.id, verbose: true }, asking);
      return { kind: 'container', status: messageJson(answer.status ?? {}), info: infoJson(answer.info) };
    }
    case 'image': {
      const answer = await cri.call(imageService.imageStatus, { image: imageSpec(found.id), verbose: true }, asking);
      if (!answer.image) throw failure('not-found', { ...asking, why: 'it is gone meanwhile' });
      return { kind: 'image', status: messageJson(answer.image), info: infoJson(answer.info) };
    }
  }
}
