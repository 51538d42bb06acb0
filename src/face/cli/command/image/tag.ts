import { AdminService as admin } from '../../../../gen/admin.ts';
import type { Command } from '../../command.ts';

export const tag: Command = {
  name: 'image tag',
  summary: 'give an image one more name',
  usage: 'gantry image tag [flags] IMAGE NAME',
  details: 'Another image that has NAME loses it.',
  flags: [],
  operands: ['IMAGE', 'NAME'],
  examples: ['gantry image tag web:1 registry.example/web:stable'],

  async run(args, { connect }) {
    const [image, target] = args.operands as [string, string];
    await (await connect()).call(admin.tagImage, { image, target }, { act: 'tag image', object: image });
    return 0;
  },
};
