import { AdminService, LayerPhase, type Pull } from '../../../gen/admin.ts';
import { outputFlag, type Command } from '../command.ts';
import { humanAge } from '../human.ts';
import { say, wantsColour } from '../io.ts';
import { messageJson } from '../proto-json.ts';
import { totalLine } from '../pull-lines.ts';
import { tableLines } from '../table.ts';

export const pulls: Command = {
  name: 'pulls',
  summary: 'list the image pulls in flight, whoever asked for them',
  usage: 'gantry pulls [flags]',
  flags: [outputFlag],
  operands: [],
  examples: ['gantry pulls', "gantry pulls -o json | jq '.pulls[].layers'"],

  async run(args, { io, connect }) {
    const cri = await connect();
    const found: Pull[] = [];
    for await (const answer of cri.stream(AdminService.watchPulls, { image: '', intervalMs: 0 }, { act: 'list pulls', deadlineMs: 30_000 })) found.push(...answer.pulls);

    if (args.text('output') === 'json') {
      await say(io, JSON.stringify({ pulls: found.map(messageJson) }, null, 2));
    } else {
      const rows = found.map((pull) => [pull.image, pull.stage, layersOf(pull), humanAge(pull.startedAt, Date.now()), totalLine(pull)]);
      for (const line of tableLines(['IMAGE', 'STAGE', 'LAYERS', 'AGE', 'PROGRESS'], rows, wantsColour(io))) await say(io, line);
    }
    return 0;
  },
};

/** How many of the layers need nothing more: `2/5`. */
function layersOf({ layers }: Pull): string {
  const ready = layers.filter(({ phase }) => phase === LayerPhase.LAYER_DONE || phase === LayerPhase.LAYER_HERE_ALREADY);
  return `${ready.length}/${layers.length}`;
}
