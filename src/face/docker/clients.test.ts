import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields, Logger } from '../../base/log.ts';
import type { Engine } from '../../engine/engine.ts';
import { DockerClients } from './clients.ts';
import type { Peer } from './clients.ts';
import { fakeNode, mainId, podId, servedNode } from './node.fake.ts';

const peer: Peer = { pid: 5, uid: 0, program: '/usr/bin/agent', cgroup: '' };
const request = { endpoint: 'GET /info', refused: false, userAgent: 'agent/1' };

function recorded(engine: Engine = fakeNode().engine) {
  const lines: LogFields[] = [];
  const log: Logger = { debug() {}, warn() {}, error() {}, info: (_message, fields) => void lines.push(fields ?? {}), with: () => log };
  return { clients: new DockerClients({ engine, log }), lines };
}

test('a client is logged once, and counted by what it asks for', async () => {
  const { clients, lines } = recorded();
  const client = await clients.identify(peer);

  clients.counted(client, request);
  clients.counted({ ...client, pid: 6 }, { ...request, userAgent: 'agent/2\u001b[31m' });
  clients.counted(client, { ...request, endpoint: 'POST /build', refused: true });
  clients.counted({ ...client, uid: 9 }, request);

  const [other, one] = clients.list();
  assert.deepEqual([one?.program, one?.requests, one?.refused, one?.lastPid, one?.endpoints], [
    '/usr/bin/agent', 3n, 1n, 5, [{ endpoint: 'GET /info', requests: 2n, refused: 0n }, { endpoint: 'POST /build', requests: 1n, refused: 1n }],
  ]);
  assert.ok(one!.firstSeen > 0n && one!.lastSeen >= one!.firstSeen);
  assert.equal(other?.uid, 9);
  assert.deepEqual(lines.map(({ program, uid }) => [program, uid]), [['/usr/bin/agent', 0], ['/usr/bin/agent', 9]]);
});

test('what a client says of itself is cut and has nothing for a terminal', async () => {
  const { clients } = recorded();

  clients.counted(await clients.identify(peer), { ...request, userAgent: `\u001b[31m${'x'.repeat(1000)}` });

  assert.equal(clients.list()[0]?.userAgent, `?[31m${'x'.repeat(123)}`);
});

test('its pod and container, or its service, are found by its cgroup', async () => {
  const { clients } = recorded();
  const placeOf = async (cgroup: string) => {
    const { pod, container, service } = await clients.identify({ ...peer, cgroup });
    return [pod, container, service];
  };

  assert.deepEqual(await placeOf(`/kubepods/burstable/pod1/${mainId}`), ['shop/web', 'main', '']);
  assert.deepEqual(await placeOf(`/kubepods.slice/pod1.slice/crio-${mainId}.scope/inside`), ['shop/web', 'main', '']);
  assert.deepEqual(await placeOf(`/kubepods/pod1/${podId}`), ['shop/web', '', '']);
  assert.deepEqual(await placeOf('/system.slice/datadog.service'), ['', '', 'datadog.service']);
  assert.deepEqual(await placeOf(`/docker/${'9'.repeat(64)}`), ['', '', '']);
});

test('a client whose pod cannot be asked for is recorded all the same', async () => {
  const { clients } = recorded({ containers: { list: () => Promise.reject(new Error('no')) } } as unknown as Engine);

  assert.equal((await clients.identify({ ...peer, cgroup: `/${mainId}` })).pod, '');
});

test('of a thousand and one the one that was not seen for the longest time is forgotten', async () => {
  const { clients } = recorded();
  for (let n = 0; n <= 1000; n++) clients.counted({ ...await clients.identify({ ...peer, program: `/p${n}` }) }, request);

  const programs = clients.list().map(({ program }) => program);

  assert.deepEqual([programs.length, programs.at(0), programs.at(-1)], [1000, '/p1000', '/p1']);
});

test('requests over the socket are recorded for whoever connected', async (t) => {
  const { ask, clients, lines } = await servedNode(t);

  await ask('GET /_ping');
  await ask('GET /v1.41/containers/json');
  await ask('GET /no/such/thing');
  await ask('GET /_ping');

  const [client] = clients.list();
  assert.deepEqual([client?.program, client?.pod, client?.container, client?.userAgent], ['/usr/bin/agent', 'shop/web', 'main', 'test/1']);
  assert.deepEqual(new Set(client!.endpoints.map(({ endpoint }) => endpoint)), new Set(['GET /_ping', 'GET /containers/json', 'unknown']));
  assert.equal(lines.filter((line) => line.includes('a client uses the Docker API')).length, 1);
});
