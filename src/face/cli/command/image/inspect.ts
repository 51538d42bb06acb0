import type { Command } from '../../command.ts';
import { findOne } from '../../find.ts';
import { listImages } from '../../inventory.ts';
import { say } from '../../io.ts';
import { details } from '../inspect.ts';

export const inspect: Command = {
  name: 'image inspect',
  summary: 'print all that the runtime knows about an image, as JSON',
  usage: 'gantry image inspect [flags] IMAGE',
  flags: [],
  operands: ['IMAGE'],
  examples: ["gantry image inspect web:1 | jq '.info.info.imageSpec.config'"],

  async run(args, { io, connect }) {
    const cri = await connect();
    await say(io, JSON.stringify(await details(cri, findOne(args.operands[0]!, await listImages(cri), 'inspect image')), null, 2));
    return 0;
  },
};
