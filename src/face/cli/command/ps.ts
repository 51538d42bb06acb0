import { ContainerState, type Container } from '../../../gen/cri.ts';
import { noTruncFlag, outputFlag, quietFlag, type Command } from '../command.ts';
import { findOne } from '../find.ts';
import { humanAge, shortId } from '../human.ts';
import { listContainers, listImages, listPods } from '../inventory.ts';
import { say, wantsColour } from '../io.ts';
import { messageJson } from '../proto-json.ts';
import { tableLines, type Cell } from '../table.ts';

export const ps: Command = {
  name: 'ps',
  summary: 'list running containers, newest first',
  usage: 'gantry ps [flags]',
  flags: [
    { name: 'all', short: 'a', help: 'also those that do not run' },
    { name: 'pod', short: 'p', value: 'POD', help: 'only the containers of this pod (name or id)' },
    quietFlag,
    noTruncFlag,
    outputFlag,
  ],
  operands: [],
  examples: ['gantry ps', 'gantry ps -a --pod web'],

  async run(args, { io, connect }) {
    const cri = await connect();
    const podWord = args.text('pod');
    const pod = podWord === undefined ? undefined : findOne(podWord, await listPods(cri), 'find pod');
    const found = (await listContainers(cri)).filter(
      ({ container }) => (args.on('all') || container.state === ContainerState.CONTAINER_RUNNING) && (!pod || container.podSandboxId === pod.id),
    );
    const shown = (id: string) => (args.on('no-trunc') ? id : shortId(id));

    if (args.text('output') === 'json') {
      await say(io, JSON.stringify({ containers: found.map(({ container }) => messageJson(container)) }, null, 2));
    } else if (args.on('quiet')) {
      for (const one of found) await say(io, shown(one.id));
    } else {
      const titles = new Map((await listImages(cri)).map((one) => [one.id, one.title]));
      const rows = found.map(({ container, podTitle }) => [
        shown(container.id),
        container.metadata?.name ?? '',
        podTitle,
        stateCell(container.state),
        humanAge(container.createdAt, Date.now()),
        String(container.metadata?.attempt ?? 0),
        imageName(container, titles),
      ]);
      for (const line of tableLines(['CONTAINER ID', 'NAME', 'POD', 'STATE', 'AGE', 'ATTEMPT', 'IMAGE'], rows, wantsColour(io))) await say(io, line);
    }
    return 0;
  },
};

/** The state as `ps` and `play` print it. */
export function stateCell(state: ContainerState): Cell {
  switch (state) {
    case ContainerState.CONTAINER_RUNNING:
      return { text: 'running', tone: 'good' };
    case ContainerState.CONTAINER_CREATED:
      return { text: 'created' };
    case ContainerState.CONTAINER_EXITED:
      return { text: 'exited', tone: 'dim' };
    default:
      return { text: 'unknown', tone: 'bad' };
  }
}

/** What the person asked for; runtimes that do not keep it know the image by its id only. */
function imageName(container: Container, titles: ReadonlyMap<string, string>): string {
  const name = container.image?.userSpecifiedImage || container.image?.image || container.imageRef;
  return /^(sha256:)?[0-9a-f]{64}$/.test(name) ? (titles.get(name) ?? shortId(name)) : name;
}
