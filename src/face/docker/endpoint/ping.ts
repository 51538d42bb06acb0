import type { Endpoint } from '../endpoint.ts';

/** Where every client begins: the version to speak is in the headers. */
export const ping: Endpoint = {
  route: 'GET /_ping',
  answer: () => ({
    kind: 'text', text: 'OK',
    headers: { 'Ostype': 'linux', 'Docker-Experimental': 'false', 'Builder-Version': '1', 'Swarm': 'inactive', 'Cache-Control': 'no-cache, no-store, must-revalidate', 'Pragma': 'no-cache' },
  }),
};
