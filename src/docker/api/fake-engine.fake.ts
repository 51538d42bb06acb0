/** What a Docker Engine never does, or not when a test wants it: an HTTP server on a unix socket that answers as it is told. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface FakeEngine {
  readonly socket: string;
  close(): Promise<void>;
}

export async function fakeEngine(answer: (request: IncomingMessage, response: ServerResponse) => void, apiVersion = '1.41'): Promise<FakeEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-fake-engine-'));
  const socket = join(directory, 's');
  const server = createServer((request, response) => {
    if (request.url === '/version') response.end(JSON.stringify({ Version: 'fake', ApiVersion: apiVersion }));
    else answer(request, response);
  });
  await new Promise<void>((resolve) => { server.listen(socket, resolve); });
  return {
    socket,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => { server.close(resolve); });
      await rm(directory, { recursive: true, force: true });
    },
  };
}
