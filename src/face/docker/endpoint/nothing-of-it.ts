/** What Docker has and a node of Kubernetes has not: lists are empty, and nothing is found. Clients that look at everything are content with that. */
import { failure } from '../../../base/errors.ts';
import { json } from '../endpoint.ts';
import type { DockerCall, Endpoint } from '../endpoint.ts';

export const noNetworks: Endpoint = { route: 'GET /networks', answer: () => json([]) };
export const noVolumes: Endpoint = { route: 'GET /volumes', answer: () => json({ Volumes: [], Warnings: null }) };
export const noPlugins: Endpoint = { route: 'GET /plugins', answer: () => json([]) };

export const noNetwork: Endpoint = { route: 'GET /networks/{id}', answer: absent((id) => `network ${id} not found`) };
export const noVolume: Endpoint = { route: 'GET /volumes/{id}', answer: absent((id) => `no such volume: ${id}`) };
export const noPlugin: Endpoint = { route: 'GET /plugins/{id…}/json', answer: absent((id) => `plugin ${JSON.stringify(id)} not found`) };
export const noExec: Endpoint = { route: 'GET /exec/{id}/json', answer: absent((id) => `No such exec instance: ${id}`) };

export const noSwarm: readonly Endpoint[] = ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs']
  .flatMap((what) => [`GET /${what}`, `GET /${what}/{id…}`])
  .map((route) => ({
    route,
    answer() {
      throw failure('unavailable', { act: 'This node is not a swarm manager', why: 'it is a node of Kubernetes, see kubectl' });
    },
  }));

function absent(message: (id: string) => string): Endpoint['answer'] {
  return (call: DockerCall) => {
    throw failure('not-found', { act: message(call.param('id')) });
  };
}
