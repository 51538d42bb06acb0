/** What surrounds every call (src/face/grpc/conduct.ts), as a client of the CRI sees it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../../base/errors.ts';
import { Container, ContainerConfig, ImageSpec, PodSandboxConfig } from '../../gen/cri.ts';
import { fakeEngine, only } from './engine.fake.ts';
import { refused, served, until, untilAborted } from './served.fake.ts';
import type { LogLine } from './served.fake.ts';

const pod = only(PodSandboxConfig, { metadata: { name: 'web', namespace: 'default', uid: 'u', attempt: 1 } });
const image = only(ImageSpec, { image: 'docker.io/library/web:1' });
const container = only(ContainerConfig, { metadata: { name: 'main', attempt: 2 }, image });

test('an answer too large for a message is refused with both sizes and a way out', async (t) => {
  const list = async () => [only(Container, { id: 'x'.repeat(2000) })];
  const client = (await served(t, fakeEngine({ containers: { list } }), 1000)).client();

  const details = 'ListContainers: the answer has 2006 bytes and a message at most 1000; ask for less with a filter, or as a stream';
  assert.deepEqual(await refused(client.call('listContainers', { filter: undefined })), { code: 'RESOURCE_EXHAUSTED', details });
});

test('a request too large for a message is refused with both sizes', async (t) => {
  const client = (await served(t, fakeEngine(), 1000)).client();

  const answer = await refused(client.call('runPodSandbox', { config: { ...pod, hostname: 'h'.repeat(2000) }, runtimeHandler: '' }));

  assert.equal(answer.code, 'RESOURCE_EXHAUSTED');
  assert.match(answer.details, /larger than max \(20\d\d vs 1000\)/);
});

test('a failure of ours has its status, its message and a log line with stages', async (t) => {
  const start = async (id: string): Promise<void> => {
    throw failure('failed-precondition', { act: 'start container', object: id, why: 'it is running already' });
  };
  const { client, lines } = await served(t, fakeEngine({ containers: { start } }));

  const details = 'start container abc: it is running already';
  assert.deepEqual(await refused(client().call('startContainer', { containerId: 'abc' })), { code: 'FAILED_PRECONDITION', details });
  const { ms: _ms, request: _request, ...line } = lines[0] as LogLine;
  assert.deepEqual(line, {
    level: 'info', message: 'StartContainer', rpc: 'StartContainer', container: 'abc', code: 'FAILED_PRECONDITION', error: details, stages: [],
  });
});

test('a throw that is not ours is INTERNAL with its message; the stack stays in the log', async (t) => {
  const start = async (): Promise<void> => {
    throw new TypeError('undefined is not a function');
  };
  const { client, lines } = await served(t, fakeEngine({ containers: { start } }));

  const answer = await refused(client().call('startContainer', { containerId: 'abc' }));
  assert.deepEqual(answer, { code: 'INTERNAL', details: 'undefined is not a function' });
  assert.equal(lines[0]?.level, 'error');
  assert.match(String(lines[0]?.['stack']), /calls\.test\.ts/);
});

test('a changing call is logged at info with names, a reading one at debug', async (t) => {
  const { client, lines } = await served(t, fakeEngine());
  const v1 = client();

  await v1.call('runPodSandbox', { config: pod, runtimeHandler: '' });
  await v1.call('createContainer', { podSandboxId: 'p', config: container, sandboxConfig: pod });
  await client('v1alpha2').call('listContainers', { filter: undefined });

  const told = lines.map(({ level, message, ms, code, request, rpc, ...rest }) => {
    assert.ok(typeof ms === 'number' && code === 'OK' && typeof request === 'string' && rpc === message);
    return [level, message, rest];
  });
  assert.deepEqual(told, [
    ['info', 'RunPodSandbox', { podName: 'default/web' }],
    ['info', 'CreateContainer', { pod: 'p', podName: 'default/web', containerName: 'main' }],
    ['debug', 'ListContainers', { api: 'v1alpha2' }],
  ]);
  assert.equal(new Set(lines.map(({ request }) => request)).size, 3);
});

test('neither credentials nor environments reach the log, whether the call succeeds or fails', async (t) => {
  const pull = async (): Promise<string> => {
    throw failure('unavailable', { act: 'pull image', object: image.image, why: 'no route to registry' });
  };
  const { client, lines } = await served(t, fakeEngine({ images: { pull } }));
  const tokens = { identityToken: 'hunter2', registryToken: 'hunter2' };
  const secret = { username: 'me', password: 'hunter2', auth: 'bWU6aHVudGVyMg==', serverAddress: '', ...tokens };
  const envs = [{ key: 'TOKEN', value: Buffer.from('hunter2') }];
  const withEnv = { ...container, envs, command: ['run', '--password=hunter2'], annotations: { a: 'hunter2' } };

  await refused(client().call('pullImage', { image, auth: secret, sandboxConfig: pod }));
  await client().call('createContainer', { podSandboxId: 'p', config: withEnv, sandboxConfig: pod });
  await client().call('execSync', { containerId: 'c', cmd: ['login', 'hunter2'], timeout: 0n });

  assert.equal(lines.length, 3);
  assert.doesNotMatch(JSON.stringify(lines), /hunter2|bWU6/);
});

const sleep = { containerId: 'c', cmd: ['sleep', 'infinity'], timeout: 0n };

test('a call whose deadline passes is aborted, and logged as that', async (t) => {
  const { fake, reason } = untilAborted();
  const { client, lines } = await served(t, fake);

  assert.equal((await refused(client().call('execSync', sleep, { deadline: Date.now() + 100 }))).code, 'DEADLINE_EXCEEDED');
  assert.equal(await reason, 'ExecSync: the deadline that the caller set passed');
  await until(() => lines.length > 0);
  assert.deepEqual([lines[0]?.level, lines[0]?.['code']], ['warn', 'DEADLINE_EXCEEDED']);
});

test('a call whose caller goes away is aborted, and no longer counted', async (t) => {
  const { fake, begun, reason } = untilAborted();
  const { client, server, lines } = await served(t, fake);

  const call = client().cancellable('execSync', sleep);
  const answer = refused(call.answer);
  await begun;
  assert.equal(server.inFlight, 1);
  call.cancel();

  assert.equal((await answer).code, 'CANCELLED');
  assert.equal(await reason, 'ExecSync: the caller went away');
  await until(() => server.inFlight === 0);
  assert.equal(lines[0]?.['code'], 'CANCELLED');
});

test('a finished call is not aborted after', async (t) => {
  const fake = fakeEngine();
  const { client } = await served(t, fake);

  await client().call('execSync', sleep, { deadline: Date.now() + 1000 });
  await new Promise((resolve) => setTimeout(resolve, 1100));

  assert.equal(fake.asked[0]?.ctx?.signal.aborted, false);
});

