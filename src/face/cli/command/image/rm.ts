import { messageOf } from '../../../../base/errors.ts';
import { AdminService as admin } from '../../../../gen/admin.ts';
import type { Command } from '../../command.ts';
import { printable, say, write } from '../../io.ts';

export const rm: Command = {
  name: 'image rm',
  summary: 'take names from images, and remove those that have none left',
  usage: 'gantry image rm [flags] IMAGE…',
  details: 'A name takes only that name away while the image has others; an id removes the image with all its names. An image that a container uses stays.',
  flags: [],
  operands: ['IMAGE'],
  many: true,
  examples: ['gantry image rm web:1', 'gantry image rm 3f9a2c'],

  async run(args, { io, connect }) {
    const cri = await connect();
    let code = 0;
    for (const image of args.operands) {
      try {
        const { id, removed, names } = await cri.call(admin.untagImage, { image }, { act: 'remove image', object: image, deadlineMs: 120_000 });
        for (const name of names) await say(io, `untagged ${name}`);
        if (removed) await say(io, `removed ${id}`);
      } catch (error) {
        code = 1;
        await write(io.stderr, `${printable(`gantry image rm: ${messageOf(error)}`)}\n`);
      }
    }
    return code;
  },
};
