import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { failure } from '../../base/errors.ts';
import type { LogFields, Logger } from '../../base/log.ts';
import { AuthConfig, Container, ContainerConfig, ContainerResources, FilesystemUsage, Image, ImageSpec, LinuxContainerResources, PodSandboxConfig } from '../../gen/cri.ts';
import type { CriClient, RpcName } from './cri-client.fake.ts';
import { criClient } from './cri-client.fake.ts';
import { fakeEngine, only } from './engine.fake.ts';
import type { FakeEngine } from './engine.fake.ts';
import { apiVersions } from './rpc.ts';
import { serveCri } from './server.ts';
import type { CriServer } from './server.ts';

interface Served {
  readonly server: CriServer;
  readonly socketPath: string;
  readonly lines: LogLine[];
  client(...options: Parameters<typeof criClient> extends [string, ...infer Rest] ? Rest : never): CriClient;
}

interface LogLine extends LogFields {
  readonly level: string;
  readonly message: string;
}

function recorder(lines: LogLine[], fields: LogFields = {}): Logger {
  const at = (level: string) => (message: string, more: LogFields = {}) => void lines.push({ level, message, ...fields, ...more });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), with: (more) => recorder(lines, { ...fields, ...more }) };
}

async function served(t: TestContext, { engine }: Pick<FakeEngine, 'engine'>, maxMessageBytes = 16 << 20): Promise<Served> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'cri-server-'));
  const socketPath = path.join(folder, 'cri.sock');
  const lines: LogLine[] = [];
  const server = await serveCri({ socketPath, engine, log: recorder(lines), runtimeVersion: '1.2.3', maxMessageBytes });
  const clients: CriClient[] = [];
  t.after(async () => {
    clients.forEach((client) => client.close());
    await server.close(1000);
    await fs.rm(folder, { recursive: true });
  });
  return {
    server, socketPath, lines,
    client: (...options) => {
      const client = criClient(socketPath, ...options);
      clients.push(client);
      return client;
    },
  };
}

/** Rejects with a status, and returns it. */
async function refused(answer: Promise<unknown>): Promise<{ code: string; details: string }> {
  const error = await answer.then(() => assert.fail('was answered'), (thrown: ServiceError) => thrown);
  return { code: status[error.code], details: error.details };
}

async function collected<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

const pod = only(PodSandboxConfig, { metadata: { name: 'web', namespace: 'default', uid: 'u', attempt: 1 } });
const image = only(ImageSpec, { image: 'docker.io/library/web:1' });
const container = only(ContainerConfig, { metadata: { name: 'main', attempt: 2 }, image });
const linux = only(LinuxContainerResources, { cpuShares: 512n });
const auth = only(AuthConfig, { username: 'me', password: 'hunter2' });

/** Request, the engine's method with its arguments, and the part of the answer that tells it apart. */
const happy: readonly [RpcName, object, [string, ...unknown[]] | [], object][] = [
  ['runPodSandbox', { config: pod, runtimeHandler: 'crun' }, ['pods.run', { config: pod, runtimeHandler: 'crun' }], { podSandboxId: 'pod-id' }],
  ['stopPodSandbox', { podSandboxId: 'p' }, ['pods.stop', 'p'], {}],
  ['removePodSandbox', { podSandboxId: 'p' }, ['pods.remove', 'p'], {}],
  ['podSandboxStatus', { podSandboxId: 'p', verbose: true }, ['pods.status', 'p', true], { info: { detail: 'as asked' } }],
  ['listPodSandbox', { filter: undefined }, ['pods.list', undefined], {}],
  ['createContainer', { podSandboxId: 'p', config: container, sandboxConfig: pod }, ['containers.create', { podId: 'p', config: container, podConfig: pod }], { containerId: 'container-id' }],
  ['startContainer', { containerId: 'c' }, ['containers.start', 'c'], {}],
  ['stopContainer', { containerId: 'c', timeout: 30n }, ['containers.stop', 'c', 30], {}],
  ['removeContainer', { containerId: 'c' }, ['containers.remove', 'c'], {}],
  ['listContainers', { filter: { id: 'c', state: undefined, podSandboxId: '', labelSelector: { a: 'b' } } }, ['containers.list', { id: 'c', state: undefined, podSandboxId: '', labelSelector: { a: 'b' } }], { containers: [only(Container, { id: 'container-1' })] }],
  ['containerStatus', { containerId: 'c', verbose: false }, ['containers.status', 'c', false], { info: {} }],
  ['updateContainerResources', { containerId: 'c', linux, windows: undefined, annotations: {} }, ['containers.updateResources', 'c', only(ContainerResources, { linux })], {}],
  ['reopenContainerLog', { containerId: 'c' }, ['containers.reopenLog', 'c'], {}],
  ['execSync', { containerId: 'c', cmd: ['ls', '/'], timeout: 5n }, ['containers.execSync', 'c', ['ls', '/'], 5], { stdout: Buffer.from('out'), stderr: Buffer.from('err'), exitCode: 3 }],
  ['containerStats', { containerId: 'c' }, ['containers.stats', 'c'], {}],
  ['listContainerStats', { filter: undefined }, ['containers.listStats', undefined], {}],
  ['podSandboxStats', { podSandboxId: 'p' }, ['pods.stats', 'p'], {}],
  ['listPodSandboxStats', { filter: undefined }, ['pods.listStats', undefined], {}],
  ['updateRuntimeConfig', { runtimeConfig: { networkConfig: { podCidr: '10.0.0.0/24' } } }, ['node.updatePodCidr', '10.0.0.0/24'], {}],
  ['updateRuntimeConfig', { runtimeConfig: undefined }, [], {}],
  ['status', { verbose: true }, ['node.status', true], { info: { detail: 'as asked' }, runtimeHandlers: [{ name: 'crun', features: undefined }] }],
  ['runtimeConfig', {}, ['node.runtimeConfig'], { linux: { cgroupDriver: 1 } }],
  ['listImages', { filter: undefined }, ['images.list', undefined], { images: [only(Image, { id: 'sha256:listed', size: 2n ** 40n })] }],
  ['imageStatus', { image, verbose: true }, ['images.status', image, true], { image: only(Image, { id: image.image }), info: { detail: 'as asked' } }],
  ['imageStatus', { image: only(ImageSpec, { image: 'absent' }), verbose: true }, ['images.status', only(ImageSpec, { image: 'absent' }), true], { image: undefined, info: {} }],
  ['pullImage', { image, auth, sandboxConfig: pod }, ['images.pull', { image, auth, podConfig: pod }], { imageRef: 'sha256:pulled' }],
  ['removeImage', { image }, ['images.remove', image], {}],
  ['imageFsInfo', {}, ['images.fsInfo'], { imageFilesystems: [only(FilesystemUsage, { timestamp: 1n })], containerFilesystems: [only(FilesystemUsage, { timestamp: 2n })] }],
];

/** The streamed lists: the engine's method and the ids or how many items came. */
const streams: readonly [RpcName, string, string, number][] = [
  ['streamPodSandboxes', 'pods.list', 'podSandboxes', 2],
  ['streamContainers', 'containers.list', 'containers', 1],
  ['streamContainerStats', 'containers.listStats', 'containerStats', 1],
  ['streamPodSandboxStats', 'pods.listStats', 'podSandboxStats', 1],
  ['streamImages', 'images.list', 'images', 1],
];

const notYet: readonly [RpcName, object, string][] = [
  ['updatePodSandboxResources', { podSandboxId: 'p' }, 'update resources of pod p: resizing a pod as a whole is not part of this version; its containers can be resized'],
  ['exec', { containerId: 'c', cmd: [] }, 'exec in container c: streaming sessions are not part of this version; ExecSync runs a command to its end'],
  ['attach', { containerId: 'c' }, 'attach to container c: streaming sessions are not part of this version; the log has what the container writes'],
  ['portForward', { podSandboxId: 'p', port: [] }, 'forward ports of pod p: streaming sessions are not part of this version; the pod answers on its own address'],
  ['checkpointContainer', { containerId: 'c', timeout: 0n }, 'checkpoint container c: checkpoints are not part of this version'],
  ['checkpointPod', { podSandboxId: 'p', outputPath: '', containerIds: [], options: {} }, 'checkpoint pod p: checkpoints are not part of this version'],
  ['restorePod', { checkpointPath: '', config: undefined, runtimeHandler: '', options: {}, containerConfigs: [] }, 'restore pod: checkpoints are not part of this version'],
  ['listMetricDescriptors', {}, 'list metric descriptors: pod metrics are not part of this version; ListPodSandboxStats has the usage'],
  ['listPodSandboxMetrics', {}, 'list pod metrics: pod metrics are not part of this version; ListPodSandboxStats has the usage'],
];

const notYetStreams: readonly [RpcName, string][] = [
  ['getContainerEvents', 'watch container events: container events are not part of this version; list and ask for statuses'],
  ['streamPodSandboxMetrics', 'stream pod metrics: pod metrics are not part of this version; StreamPodSandboxStats has the usage'],
];

for (const apiVersion of apiVersions) {
  test(`${apiVersion}: every call reaches the engine and its answer the caller`, async (t) => {
    const fake = fakeEngine();
    const client = (await served(t, fake)).client(apiVersion);

    for (const [name, request, expected, part] of happy) {
      fake.asked.length = 0;
      const answer = await client.call(name, request as never);

      assert.deepEqual(fake.asked.map(({ what, args }) => [what, ...args]), expected.length === 0 ? [] : [expected], name);
      for (const [field, value] of Object.entries(part)) assert.deepEqual((answer as unknown as Record<string, unknown>)[field], value, `${name}: ${field}`);
    }
    for (const [name, what, field, count] of streams) {
      fake.asked.length = 0;
      const messages = await collected(client.stream(name, { filter: undefined } as never)) as unknown as Record<string, unknown[]>[];

      assert.deepEqual(fake.asked.map((one) => one.what), [what]);
      assert.equal(messages.flatMap((message) => message[field]).length, count, name);
    }
  });

  test(`${apiVersion}: what is not part of this version says so`, async (t) => {
    const client = (await served(t, fakeEngine())).client(apiVersion);

    for (const [name, request, details] of notYet) assert.deepEqual(await refused(client.call(name, request as never)), { code: 'UNIMPLEMENTED', details });
    for (const [name, details] of notYetStreams) assert.deepEqual(await refused(collected(client.stream(name, {} as never))), { code: 'UNIMPLEMENTED', details });
  });

  test(`${apiVersion}: Version names the interface that it was asked through`, async (t) => {
    const client = (await served(t, fakeEngine())).client(apiVersion);

    assert.deepEqual(await client.call('version', { version: '0.1.0' }), { version: '0.1.0', runtimeName: 'gantry', runtimeVersion: '1.2.3', runtimeApiVersion: apiVersion });
  });
}

test('the tables of this test have every RPC', () => {
  const tested = new Set<string>(['version', ...happy.map(([name]) => name), ...streams.map(([name]) => name), ...notYet.map(([name]) => name), ...notYetStreams.map(([name]) => name)]);

  assert.equal(tested.size, 43);
});

const incomplete: readonly [RpcName, object, string][] = [
  ['runPodSandbox', {}, 'run pod: config is missing'],
  ['runPodSandbox', { config: only(PodSandboxConfig) }, 'run pod: config.metadata is missing'],
  ['runPodSandbox', { config: only(PodSandboxConfig, { metadata: { name: '', namespace: 'd', uid: '', attempt: 0 } }) }, 'run pod: config.metadata.name is missing'],
  ['runPodSandbox', { config: only(PodSandboxConfig, { metadata: { name: 'n', namespace: '', uid: '', attempt: 0 } }) }, 'run pod: config.metadata.namespace is missing'],
  ['stopPodSandbox', {}, 'stop pod: pod_sandbox_id is missing'],
  ['removePodSandbox', {}, 'remove pod: pod_sandbox_id is missing'],
  ['podSandboxStatus', {}, 'status of pod: pod_sandbox_id is missing'],
  ['podSandboxStats', {}, 'stats of pod: pod_sandbox_id is missing'],
  ['createContainer', { config: container }, 'create container: pod_sandbox_id is missing'],
  ['createContainer', { podSandboxId: 'p' }, 'create container: config is missing'],
  ['createContainer', { podSandboxId: 'p', config: { ...container, metadata: undefined } }, 'create container: config.metadata is missing'],
  ['createContainer', { podSandboxId: 'p', config: { ...container, metadata: { name: '', attempt: 0 } } }, 'create container: config.metadata.name is missing'],
  ['createContainer', { podSandboxId: 'p', config: { ...container, image: undefined } }, 'create container: config.image is missing'],
  ['createContainer', { podSandboxId: 'p', config: { ...container, image: only(ImageSpec) } }, 'create container: config.image.image is missing'],
  ['startContainer', {}, 'start container: container_id is missing'],
  ['stopContainer', { timeout: 0n }, 'stop container: container_id is missing'],
  ['removeContainer', {}, 'remove container: container_id is missing'],
  ['containerStatus', {}, 'status of container: container_id is missing'],
  ['containerStats', {}, 'stats of container: container_id is missing'],
  ['updateContainerResources', { linux, annotations: {} }, 'update resources of container: container_id is missing'],
  ['updateContainerResources', { containerId: 'c', annotations: {} }, 'update resources of container: linux is missing'],
  ['reopenContainerLog', {}, 'reopen log of container: container_id is missing'],
  ['execSync', { cmd: ['ls'], timeout: 0n }, 'exec in container: container_id is missing'],
  ['execSync', { containerId: 'c', cmd: [], timeout: 0n }, 'exec in container: cmd is missing'],
  ['imageStatus', {}, 'status of image: image is missing'],
  ['imageStatus', { image: only(ImageSpec) }, 'status of image: image.image is missing'],
  ['pullImage', {}, 'pull image: image is missing'],
  ['pullImage', { image: only(ImageSpec) }, 'pull image: image.image is missing'],
  ['removeImage', {}, 'remove image: image is missing'],
  ['removeImage', { image: only(ImageSpec) }, 'remove image: image.image is missing'],
];

test('a request without a required field is refused, naming the field', async (t) => {
  const fake = fakeEngine();
  const client = (await served(t, fake)).client();

  for (const [name, fields, details] of incomplete) {
    const empty = { podSandboxId: '', containerId: '', runtimeHandler: '', verbose: false };
    assert.deepEqual(await refused(client.call(name, { ...empty, ...fields } as never)), { code: 'INVALID_ARGUMENT', details });
  }
  assert.deepEqual(fake.asked, []);
});

test('the pod status carries its containers and when they were looked at', async (t) => {
  const client = (await served(t, fakeEngine())).client();
  const before = BigInt(Date.now()) * 1_000_000n;

  const answer = await client.call('podSandboxStatus', { podSandboxId: 'p', verbose: false });

  assert.deepEqual([answer.status?.id, answer.containersStatuses.map(({ id }) => id), answer.info], ['p', ['in-pod'], {}]);
  assert.ok(answer.timestamp >= before && answer.timestamp <= BigInt(Date.now()) * 1_000_000n);
});

test('a negative timeout is none, and a huge one the longest that a timer holds', async (t) => {
  const fake = fakeEngine();
  const client = (await served(t, fake)).client();

  await client.call('stopContainer', { containerId: 'c', timeout: -5n });
  await client.call('stopContainer', { containerId: 'c', timeout: 2n ** 63n - 1n });

  assert.deepEqual(fake.asked.map(({ args }) => args[1]), [0, 2_000_000]);
});

test('a streamed list has each item once, over as many messages as it takes, and none when empty', async (t) => {
  let containers = Array.from({ length: 100 }, (_, i) => only(Container, { id: `c${i}` }));
  const client = (await served(t, fakeEngine({ containers: { list: async () => containers } }))).client();

  const messages = await collected(client.stream('streamContainers', { filter: undefined }));
  assert.equal(messages.length, 4);
  assert.deepEqual(messages.flatMap((message) => message.containers), containers);

  containers = [];
  assert.deepEqual(await collected(client.stream('streamContainers', { filter: undefined })), []);
});

test('output of a command beyond what a message holds is thrown away, from both streams', async (t) => {
  const execSync = async () => ({ stdout: Buffer.alloc(100_000, 'o'), stderr: Buffer.alloc(10_000, 'e'), exitCode: 0 });
  const client = (await served(t, fakeEngine({ containers: { execSync } }), 50_000)).client();

  const answer = await client.call('execSync', { containerId: 'c', cmd: ['yes'], timeout: 0n });

  assert.deepEqual([answer.stdout.length, answer.stderr.length, answer.exitCode], [39_936, 10_000, 0]);
});

test('an answer too large for a message is refused with both sizes and a way out', async (t) => {
  const list = async () => [only(Container, { id: 'x'.repeat(2000) })];
  const client = (await served(t, fakeEngine({ containers: { list } }), 1000)).client();

  const expected = { code: 'RESOURCE_EXHAUSTED', details: 'ListContainers: the answer has 2006 bytes and a message at most 1000; ask for less with a filter, or as a stream' };
  assert.deepEqual(await refused(client.call('listContainers', { filter: undefined })), expected);
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

  assert.deepEqual(await refused(client().call('startContainer', { containerId: 'abc' })), { code: 'FAILED_PRECONDITION', details: 'start container abc: it is running already' });
  const [line] = lines;
  assert.deepEqual([line?.level, line?.message, line?.['container'], line?.['code'], line?.['error'], line?.['stages']], ['info', 'StartContainer', 'abc', 'FAILED_PRECONDITION', 'start container abc: it is running already', []]);
});

test('a throw that is not ours is INTERNAL with its message; the stack stays in the log', async (t) => {
  const start = async (): Promise<void> => {
    throw new TypeError('undefined is not a function');
  };
  const { client, lines } = await served(t, fakeEngine({ containers: { start } }));

  assert.deepEqual(await refused(client().call('startContainer', { containerId: 'abc' })), { code: 'INTERNAL', details: 'undefined is not a function' });
  assert.equal(lines[0]?.level, 'error');
  assert.match(String(lines[0]?.['stack']), /server\.test\.ts/);
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
  const secret = { username: 'me', password: 'hunter2', auth: 'bWU6aHVudGVyMg==', serverAddress: '', identityToken: 'hunter2', registryToken: 'hunter2' };
  const withEnv = { ...container, envs: [{ key: 'TOKEN', value: Buffer.from('hunter2') }], command: ['run', '--password=hunter2'], annotations: { a: 'hunter2' } };

  await refused(client().call('pullImage', { image, auth: secret, sandboxConfig: pod }));
  await client().call('createContainer', { podSandboxId: 'p', config: withEnv, sandboxConfig: pod });
  await client().call('execSync', { containerId: 'c', cmd: ['login', 'hunter2'], timeout: 0n });

  assert.equal(lines.length, 3);
  assert.doesNotMatch(JSON.stringify(lines), /hunter2|bWU6/);
});

/** An exec that ends only when its signal says so, and remembers why. */
function untilAborted() {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: reason, resolve: tell } = Promise.withResolvers<string>();
  const fake = fakeEngine({
    containers: {
      execSync: (_id, _command, _timeout, { signal }) => new Promise((_resolve, reject) => {
        begin();
        signal.addEventListener('abort', () => {
          tell(String((signal.reason as Error).message));
          reject(new DOMException('The operation was aborted', 'AbortError'));
        });
      }),
    },
  });
  return { fake, begun, reason };
}

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

  await client().call('execSync', sleep, { deadline: Date.now() + 50 });
  await new Promise((resolve) => setTimeout(resolve, 100));

  assert.equal(fake.asked[0]?.ctx?.signal.aborted, false);
});

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

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(condition(), 'did not come about within two seconds');
}
