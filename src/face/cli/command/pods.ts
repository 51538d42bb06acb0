import { PodSandboxState } from '../../../gen/cri.ts';
import { noTruncFlag, outputFlag, quietFlag, type Command } from '../command.ts';
import { humanAge, shortId } from '../human.ts';
import { listPods } from '../inventory.ts';
import { say, wantsColour } from '../io.ts';
import { podJson } from '../proto-json.ts';
import { tableLines, type Cell } from '../table.ts';

export const pods: Command = {
  name: 'pods',
  summary: 'list pods, newest first',
  usage: 'gantry pods [flags]',
  flags: [quietFlag, noTruncFlag, outputFlag],
  operands: [],
  examples: ['gantry pods', 'gantry pods -q --no-trunc'],

  async run(args, { io, connect }) {
    const found = await listPods(await connect());
    const shown = (id: string) => (args.on('no-trunc') ? id : shortId(id));

    if (args.text('output') === 'json') {
      await say(io, JSON.stringify({ items: found.map(({ pod }) => podJson(pod)) }, null, 2));
    } else if (args.on('quiet')) {
      for (const pod of found) await say(io, shown(pod.id));
    } else {
      const rows = found.map(({ pod }) => [
        shown(pod.id),
        pod.metadata?.name ?? '',
        pod.metadata?.namespace ?? '',
        stateCell(pod.state),
        humanAge(pod.createdAt, Date.now()),
        String(pod.metadata?.attempt ?? 0),
        pod.runtimeHandler,
      ]);
      for (const line of tableLines(['POD ID', 'NAME', 'NAMESPACE', 'STATE', 'AGE', 'ATTEMPT', 'HANDLER'], rows, wantsColour(io))) await say(io, line);
    }
    return 0;
  },
};

function stateCell(state: PodSandboxState): Cell {
  return state === PodSandboxState.SANDBOX_READY ? { text: 'ready', tone: 'good' } : { text: 'not ready', tone: 'dim' };
}
