import { noTruncFlag, outputFlag, quietFlag, type Command } from '../command.ts';
import { humanSize, shortId } from '../human.ts';
import { listImages } from '../inventory.ts';
import { say, wantsColour } from '../io.ts';
import { messageJson } from '../proto-json.ts';
import { tableLines } from '../table.ts';
import type { Image } from '../../../gen/cri.ts';

export const images: Command = {
  name: 'images',
  summary: 'list the images on this node',
  usage: 'gantry images [flags]',
  flags: [quietFlag, noTruncFlag, outputFlag],
  operands: [],
  examples: ['gantry images', 'gantry images -o json'],

  async run(args, { io, connect }) {
    const found = (await listImages(await connect())).map((one) => one.image);
    const shown = (id: string) => (args.on('no-trunc') ? id : shortId(id));

    if (args.text('output') === 'json') {
      await say(io, JSON.stringify({ images: found.map(messageJson) }, null, 2));
    } else if (args.on('quiet')) {
      for (const image of found) await say(io, shown(image.id));
    } else {
      const rows = found.flatMap((image) => references(image).map(([name, tag]) => [name, tag, shown(image.id), humanSize(image.size)]));
      rows.sort((a, b) => `${a[0]}:${a[1]}`.localeCompare(`${b[0]}:${b[1]}`));
      for (const line of tableLines(['IMAGE', 'TAG', 'IMAGE ID', 'SIZE'], rows, wantsColour(io))) await say(io, line);
    }
    return 0;
  },
};

/** Name and tag of each tag; an image known only by digest has no tag. */
function references(image: Image): [string, string][] {
  if (image.repoTags.length > 0) {
    return image.repoTags.map((tag) => {
      const colon = tag.lastIndexOf(':');
      return [tag.slice(0, colon), tag.slice(colon + 1)];
    });
  }
  const names = image.repoDigests.map((digest) => digest.split('@')[0]!);
  return (names.length > 0 ? [...new Set(names)] : ['-']).map((name) => [name, '-']);
}
