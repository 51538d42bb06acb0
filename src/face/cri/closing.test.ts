/** How the server ends (src/face/grpc/server.ts), with calls of the CRI in flight. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { test } from 'node:test';
import { fakeEngine } from './engine.fake.ts';
import { refused, served, untilAborted } from './served.fake.ts';

const sleep = { containerId: 'c', cmd: ['sleep', 'infinity'], timeout: 0n };

test('closing lets calls in flight finish', async (t) => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const start = async (): Promise<void> => {
    begin();
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
  const { client, server, socketPath } = await served(t, fakeEngine({ containers: { start } }));
  const caller = client();

  const answer = caller.call('startContainer', { containerId: 'c' });
  await begun;
  await server.close(5000);

  assert.deepEqual(await answer, {});
  await assert.rejects(fs.lstat(socketPath), { code: 'ENOENT' });
});

test('closing aborts what does not finish in time, and says so', async (t) => {
  const { fake, begun, reason } = untilAborted();
  const { client, server } = await served(t, fake);

  const answer = refused(client().call('execSync', sleep));
  await begun;
  await server.close(50);

  assert.deepEqual(await answer, { code: 'UNAVAILABLE', details: 'answer: gantry is stopping; ask again when it is back' });
  assert.equal(await reason, 'answer: gantry is stopping; ask again when it is back');
});

test('closing does not wait for a call that ignores its signal', async (t) => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const start = (): Promise<void> => {
    begin();
    return new Promise(() => {});
  };
  const { client, server } = await served(t, fakeEngine({ containers: { start } }));

  const answer = refused(client().call('startContainer', { containerId: 'c' }));
  await begun;
  const before = performance.now();
  await server.close(50);

  assert.ok(performance.now() - before < 2000);
  assert.match((await answer).code, /CANCELLED|UNAVAILABLE/);
});
