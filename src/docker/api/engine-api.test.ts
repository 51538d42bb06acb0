import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { silentLogger } from '../../base/log.ts';
import { EngineMirror } from '../engine-mirror.ts';
import { EngineApi } from './engine-api.ts';
import { fakeEngine } from './fake-engine.fake.ts';

const act = { act: 'inspect container', object: 'c1' };

async function served(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void, apiVersion?: string): Promise<EngineApi> {
  const engine = await fakeEngine(answer, apiVersion);
  const api = new EngineApi(engine.socket);
  t.after(async () => {
    await api.close();
    await engine.close();
  });
  return api;
}

test('a request has the negotiated version, its query and its body', async (t) => {
  let seen: unknown;
  const api = await served(t, (request, response) => {
    void text(request).then((body) => {
      seen = [request.method, request.url, request.headers['content-type'], body];
      response.end('{"Id":"x"}');
    });
  });

  assert.deepEqual(await api.call({ act, method: 'POST', path: '/containers/create', query: { name: 'a b', unset: undefined }, json: { Image: 'i' } }), { Id: 'x' });
  assert.deepEqual(seen, ['POST', '/v1.41/containers/create?name=a+b', 'application/json', '{"Image":"i"}']);
});

test('what the Engine refuses is a failure of the kind that its status says, in its words', async (t) => {
  const api = await served(t, (request, response) => {
    response.statusCode = Number(/\d+$/.exec(request.url ?? '')?.[0]);
    response.end('{"message":"no such\\nthing"}');
  });
  const kinds = [[400, 'invalid-argument'], [404, 'not-found'], [409, 'failed-precondition'], [500, 'internal'], [503, 'unavailable'], [501, 'unimplemented']] as const;

  for (const [status, kind] of kinds) {
    await assert.rejects(api.call({ act, path: `/${status}` }), { kind, message: 'inspect container c1: the Docker Engine says: no such; thing' });
  }
});

test('an Engine that is not there is unavailable, and the message says where it was looked for', async (t) => {
  const api = new EngineApi('/nonexistent/docker.sock');
  t.after(() => api.close());

  await assert.rejects(api.call({ act, path: '/x' }), { kind: 'unavailable', message: /there is no Docker Engine at \/nonexistent\/docker\.sock: start it \(systemctl start docker\), or correct docker\.socket$/ });
});

test('an Engine that goes away during a call is unavailable, and asked for its version anew', async (t) => {
  let dying = true;
  const api = await served(t, (request, response) => {
    if (dying) request.socket.destroy();
    else response.end('{"Id":"x"}');
  });

  await assert.rejects(api.call({ act, path: '/x' }), { kind: 'unavailable', message: /^inspect container c1: the Docker Engine at .* went away during the call .*: what came of it is looked at when it is back$/ });
  dying = false;

  assert.deepEqual(await api.call({ act, path: '/x' }), { Id: 'x' });
});

test('an Engine that does not answer is given up at the deadline, and one whose caller went away at once', async (t) => {
  const api = await served(t, () => {});

  await assert.rejects(api.call({ act, path: '/x', deadlineMs: 10 }), { kind: 'deadline-exceeded', message: /did not answer within 0\.01 s$/ });
  await assert.rejects(api.call({ act, path: '/x', signal: AbortSignal.timeout(1) }), { kind: 'cancelled', message: /the caller went away$/ });
});

test('a daemon does not start with an Engine that is too old', async (t) => {
  const api = await served(t, () => {}, '1.40');
  const mirror = new EngineMirror({ api, root: '/r', log: silentLogger, onSynced: () => {}, onChange: () => {} });
  t.after(() => mirror.close());

  await assert.rejects(mirror.start(30_000), { kind: 'failed-precondition', message: /API 1\.40, and gantry needs 1\.41/ });
});

test('a daemon starts without an Engine, and every question says that it is away', async (t) => {
  const api = new EngineApi('/nonexistent/docker.sock');
  const mirror = new EngineMirror({ api, root: '/r', log: silentLogger, onSynced: () => {}, onChange: () => {} });
  t.after(async () => {
    await mirror.close();
    await api.close();
  });

  await mirror.start(10);

  assert.throws(() => mirror.pods.all(), { kind: 'unavailable' });
  assert.throws(() => mirror.containers.get('x'), { kind: 'unavailable' });
  assert.match(mirror.shortcoming ?? '', /Docker Engine/);
});
