import { AdminService } from '../../../gen/admin.ts';
import { outputFlag, type Command } from '../command.ts';
import { dfTables } from '../df-sections.ts';
import { say, wantsColour } from '../io.ts';
import { messageJson } from '../proto-json.ts';

export const df: Command = {
  name: 'df',
  summary: 'print what images, containers and downloads take on the disk',
  usage: 'gantry df [flags]',
  details: [
    'EXCLUSIVE is what no other image has: so much is freed when the image is removed. An unused layer is left of a pull that failed,',
    'and kept a while for its retry. Sizes of containers are counted by the filesystem where it has project quotas, else measured in the',
    'background: asking again measures old ones anew, and of what has too many files "≥" says what was found in the time.',
  ].join('\n'),
  flags: [outputFlag],
  operands: [],
  examples: ['gantry df', "gantry df -o json | jq '.images[] | {id, exclusiveBytes}'"],

  async run(args, { io, connect }) {
    const cri = await connect();
    const usage = await cri.call(AdminService.diskUsage, {}, { act: 'ask for the disk usage' });

    if (args.text('output') === 'json') {
      await say(io, JSON.stringify(messageJson(usage), null, 2));
    } else {
      for (const [index, table] of dfTables(usage, Date.now(), wantsColour(io)).entries()) await say(io, [...(index === 0 ? [] : ['']), ...table].join('\n'));
    }
    return 0;
  },
};
