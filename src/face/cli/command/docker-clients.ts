import { AdminService } from '../../../gen/admin.ts';
import type { DockerClient, DockerClientEndpoint } from '../../../gen/admin.ts';
import { outputFlag, type Command } from '../command.ts';
import { humanAge } from '../human.ts';
import { say, wantsColour, write } from '../io.ts';
import { messageJson } from '../proto-json.ts';
import { tableLines } from '../table.ts';

export const dockerClients: Command = {
  name: 'docker-clients',
  summary: 'print who uses the Docker API, so that it can be moved off it',
  usage: 'gantry docker-clients [flags]',
  details: [
    'Each program that has asked the socket of docker_api.socket something since the daemon started, with the pod or the service that it runs in,',
    'and what it asks for, the most frequent first. What it tried to change is refused, and marked so. No line for a day or two: it can be retired.',
  ].join('\n'),
  flags: [outputFlag],
  operands: [],
  examples: ['gantry docker-clients', 'gantry docker-clients -o json'],

  async run(args, { io, connect }) {
    const cri = await connect();
    const answer = await cri.call(AdminService.listDockerClients, {}, { act: 'ask for clients of the Docker API' });
    if (args.text('output') === 'json') {
      await say(io, JSON.stringify(messageJson(answer), null, 2));
      return 0;
    }
    const now = Date.now();
    if (!answer.served) await write(io.stderr, 'gantry docker-clients: the Docker API is not served: docker_api.socket of the configuration turns it on\n');
    else if (answer.clients.length === 0) await say(io, 'nobody has used the Docker API since the daemon started');
    else await say(io, tableLines(['PROGRAM', 'WHERE', 'UID', 'LAST SEEN', 'REQUESTS', 'REFUSED', 'FOR'], answer.clients.map((client) => row(client, now)), wantsColour(io)).join('\n'));
    return 0;
  },
};

function row({ program, pod, container, service, uid, lastSeen, requests, refused, endpoints }: DockerClient, now: number): string[] {
  const where = pod === '' ? service : [pod, container].filter((part) => part !== '').join('/');
  return [program, where, String(uid), humanAge(lastSeen, now), String(requests), String(refused), inShort(endpoints)];
}

/** A line for people: the rest is in the JSON. */
const mostShown = 4;

function inShort(endpoints: readonly DockerClientEndpoint[]): string {
  const shown = [...endpoints].sort(mostFirst).slice(0, mostShown).map(described).join(', ');
  return endpoints.length > mostShown ? `${shown} and ${endpoints.length - mostShown} more` : shown;
}

function mostFirst(a: DockerClientEndpoint, b: DockerClientEndpoint): number {
  return Number(b.requests - a.requests);
}

function described({ endpoint, requests, refused }: DockerClientEndpoint): string {
  return `${endpoint} ×${requests}${refused > 0n ? ' (refused)' : ''}`;
}
