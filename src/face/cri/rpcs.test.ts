/** Every RPC through a real client over the socket: what reaches the engine, what comes back, what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AuthConfig, Container, ContainerConfig, ContainerResources, ContainerStats, ContainerStatus, FilesystemUsage, Image, ImageServiceService,
  ImageSpec, LinuxContainerResources, PodSandbox, PodSandboxConfig, PodSandboxStats, PodSandboxStatus, RuntimeServiceService, WindowsContainerResources,
} from '../../gen/cri.ts';
import type { RpcName } from './cri-client.fake.ts';
import { fakeEngine, only } from './engine.fake.ts';
import { apiVersions } from './rpc.ts';
import { collected, refused, served } from './served.fake.ts';

const pod = only(PodSandboxConfig, { metadata: { name: 'web', namespace: 'default', uid: 'u', attempt: 1 } });
const image = only(ImageSpec, { image: 'docker.io/library/web:1' });
const container = only(ContainerConfig, { metadata: { name: 'main', attempt: 2 }, image });
const linux = only(LinuxContainerResources, { cpuShares: 512n });
const auth = only(AuthConfig, { username: 'me', password: 'hunter2' });

const listFilter = { id: 'c', state: undefined, podSandboxId: '', labelSelector: { a: 'b' } };
const absent = only(ImageSpec, { image: 'absent' });
const attributes = (id: string) => ({ id, metadata: undefined, labels: {}, annotations: {} });

/** Request, the engine's method with its arguments (none: not asked), and what of the answer tells it apart. */
const happy: readonly [RpcName, object, readonly unknown[], object][] = [
  ['runPodSandbox', { config: pod, runtimeHandler: 'crun' },
    ['pods.run', { config: pod, runtimeHandler: 'crun' }], { podSandboxId: 'pod-id' }],
  ['stopPodSandbox', { podSandboxId: 'p' }, ['pods.stop', 'p'], {}],
  ['removePodSandbox', { podSandboxId: 'p' }, ['pods.remove', 'p'], {}],
  ['podSandboxStatus', { podSandboxId: 'p', verbose: true },
    ['pods.status', 'p', true], { status: only(PodSandboxStatus, { id: 'p' }), info: { detail: 'as asked' } }],
  ['listPodSandbox', { filter: undefined },
    ['pods.list', undefined], { items: [only(PodSandbox, { id: 'pod-1' }), only(PodSandbox, { id: 'pod-2' })] }],
  ['updatePodSandboxResources', { podSandboxId: 'p', overhead: undefined, resources: linux },
    ['pods.updateResources', 'p', { overhead: undefined, resources: linux }], {}],
  ['createContainer', { podSandboxId: 'p', config: container, sandboxConfig: pod },
    ['containers.create', { podId: 'p', config: container, podConfig: pod }], { containerId: 'container-id' }],
  ['startContainer', { containerId: 'c' }, ['containers.start', 'c'], {}],
  ['stopContainer', { containerId: 'c', timeout: 30n }, ['containers.stop', 'c', 30], {}],
  ['removeContainer', { containerId: 'c' }, ['containers.remove', 'c'], {}],
  ['listContainers', { filter: listFilter },
    ['containers.list', listFilter], { containers: [only(Container, { id: 'container-1' })] }],
  ['containerStatus', { containerId: 'c', verbose: false },
    ['containers.status', 'c', false], { status: only(ContainerStatus, { id: 'c', resources: only(ContainerResources) }), info: {} }],
  ['updateContainerResources', { containerId: 'c', linux, windows: undefined, annotations: { why: 'resize' } },
    ['containers.updateResources', 'c', { linux, annotations: { why: 'resize' } }], {}],
  ['reopenContainerLog', { containerId: 'c' }, ['containers.reopenLog', 'c'], {}],
  ['execSync', { containerId: 'c', cmd: ['ls', '/'], timeout: 5n },
    ['containers.execSync', 'c', ['ls', '/'], 5], { stdout: Buffer.from('out'), stderr: Buffer.from('err'), exitCode: 3 }],
  ['exec', { containerId: 'c', cmd: ['ls', '/'], tty: true, stdin: true, stdout: true, stderr: false },
    ['streams.admitExec', { containerId: 'c', command: ['ls', '/'], tty: true }], { url: 'http://streams.test/exec/1' }],
  ['attach', { containerId: 'c', stdin: false, tty: false, stdout: true, stderr: true }, ['streams.admitAttach', 'c'], { url: 'http://streams.test/attach/2' }],
  ['portForward', { podSandboxId: 'p', port: [80, 443] }, ['streams.admitPortForward', 'p'], { url: 'http://streams.test/portforward/3' }],
  ['checkpointContainer', { containerId: 'c', location: '/a.tar', timeout: 30n }, ['checkpoints.container', 'c', { location: '/a.tar', timeoutSeconds: 30 }], {}],
  ['checkpointPod', { podSandboxId: 'p', outputPath: '/out', containerIds: ['c'], options: { a: 'b' } },
    ['checkpoints.pod', { podId: 'p', outputPath: '/out', containerIds: ['c'], options: { a: 'b' } }], {}],
  ['restorePod', { checkpointPath: '/out', config: pod, runtimeHandler: 'runc', options: {}, containerConfigs: [container] },
    ['checkpoints.restorePod', { checkpointPath: '/out', config: pod, runtimeHandler: 'runc', options: {}, containerConfigs: [container] }],
    { podSandboxId: 'pod-id', restoredContainers: [{ name: 'main', containerId: 'container-id' }] }],
  ['containerStats', { containerId: 'c' },
    ['containers.stats', 'c'], { stats: only(ContainerStats, { attributes: attributes('c') }) }],
  ['listContainerStats', { filter: undefined }, ['containers.listStats', undefined], { stats: [only(ContainerStats)] }],
  ['podSandboxStats', { podSandboxId: 'p' }, ['pods.stats', 'p'], { stats: only(PodSandboxStats, { attributes: attributes('p') }) }],
  ['listPodSandboxStats', { filter: undefined }, ['pods.listStats', undefined], { stats: [only(PodSandboxStats)] }],
  ['updateRuntimeConfig', { runtimeConfig: { networkConfig: { podCidr: '10.0.0.0/24' } } }, ['node.updatePodCidr', '10.0.0.0/24'], {}],
  ['updateRuntimeConfig', { runtimeConfig: undefined }, [], {}],
  ['status', { verbose: true },
    ['node.status', true], { info: { detail: 'as asked' }, runtimeHandlers: [{ name: 'crun', features: undefined }] }],
  ['runtimeConfig', {}, ['node.runtimeConfig'], { linux: { cgroupDriver: 1 } }],
  ['listImages', { filter: undefined },
    ['images.list', undefined], { images: [only(Image, { id: 'sha256:listed', size: 2n ** 40n })] }],
  ['imageStatus', { image, verbose: true },
    ['images.status', image, true], { image: only(Image, { id: image.image }), info: { detail: 'as asked' } }],
  ['imageStatus', { image: absent, verbose: true }, ['images.status', absent, true], { image: undefined, info: {} }],
  ['pullImage', { image, auth, sandboxConfig: pod },
    ['images.pull', { image, auth, podConfig: pod }], { imageRef: 'sha256:pulled' }],
  ['removeImage', { image }, ['images.remove', image], {}],
  ['imageFsInfo', {}, ['images.fsInfo'], {
    imageFilesystems: [only(FilesystemUsage, { timestamp: 1n })], containerFilesystems: [only(FilesystemUsage, { timestamp: 2n })],
  }],
];

/** The streamed lists: the engine's method, the field of the items and how many came. */
const streams: readonly [RpcName, string, string, number][] = [
  ['streamPodSandboxes', 'pods.list', 'podSandboxes', 2],
  ['streamContainers', 'containers.list', 'containers', 1],
  ['streamContainerStats', 'containers.listStats', 'containerStats', 1],
  ['streamPodSandboxStats', 'pods.listStats', 'podSandboxStats', 1],
  ['streamImages', 'images.list', 'images', 1],
];

const noMetrics = 'pod metrics are not part of this version';

const notYet: readonly [RpcName, object, string][] = [
  ['listMetricDescriptors', {}, `list metric descriptors: ${noMetrics}; ListPodSandboxStats has the usage`],
  ['listPodSandboxMetrics', {}, `list pod metrics: ${noMetrics}; ListPodSandboxStats has the usage`],
];

const notYetStreams: readonly [RpcName, string][] = [
  ['getContainerEvents', 'watch container events: container events are not part of this version; list and ask for statuses'],
  ['streamPodSandboxMetrics', `stream pod metrics: ${noMetrics}; StreamPodSandboxStats has the usage`],
];

for (const apiVersion of apiVersions) {
  test(`${apiVersion}: every call reaches the engine and its answer the caller`, async (t) => {
    const fake = fakeEngine();
    const client = (await served(t, fake)).client(apiVersion);

    for (const [name, request, expected, part] of happy) {
      fake.asked.length = 0;
      const answer = await client.call(name, request as never) as unknown as Record<string, unknown>;

      assert.deepEqual(fake.asked.map(({ what, args }) => [what, ...args]), expected.length === 0 ? [] : [expected], name);
      for (const [field, value] of Object.entries(part)) assert.deepEqual(answer[field], value, `${name}: ${field}`);
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

    for (const [name, request, details] of notYet) {
      assert.deepEqual(await refused(client.call(name, request as never)), { code: 'UNIMPLEMENTED', details });
    }
    for (const [name, details] of notYetStreams) {
      assert.deepEqual(await refused(collected(client.stream(name, {} as never))), { code: 'UNIMPLEMENTED', details });
    }
  });

  test(`${apiVersion}: Version names the interface that it was asked through`, async (t) => {
    const client = (await served(t, fakeEngine())).client(apiVersion);

    const expected = { version: '0.1.0', runtimeName: 'gantry', runtimeVersion: '1.2.3', runtimeApiVersion: apiVersion };
    assert.deepEqual(await client.call('version', { version: '0.1.0' }), expected);
  });
}

test('the tables of this test have every RPC', () => {
  const tested = new Set<string>(['version', ...[...happy, ...streams, ...notYet, ...notYetStreams].map(([name]) => name)]);

  assert.deepEqual([...tested].sort(), Object.keys({ ...RuntimeServiceService, ...ImageServiceService }).sort());
});

const metadata = { name: 'n', namespace: 'd', uid: '', attempt: 0 };

const incomplete: readonly [RpcName, object, string][] = [
  ['runPodSandbox', {}, 'run pod: config is missing'],
  ['runPodSandbox', { config: only(PodSandboxConfig) }, 'run pod: config.metadata is missing'],
  ['runPodSandbox', { config: { ...pod, metadata: { ...metadata, name: '' } } }, 'run pod: config.metadata.name is missing'],
  ['runPodSandbox', { config: { ...pod, metadata: { ...metadata, namespace: '' } } }, 'run pod: config.metadata.namespace is missing'],
  ['stopPodSandbox', {}, 'stop pod: pod_sandbox_id is missing'],
  ['removePodSandbox', {}, 'remove pod: pod_sandbox_id is missing'],
  ['podSandboxStatus', {}, 'status of pod: pod_sandbox_id is missing'],
  ['updatePodSandboxResources', {}, 'update resources of pod: pod_sandbox_id is missing'],
  ['podSandboxStats', {}, 'stats of pod: pod_sandbox_id is missing'],
  ['createContainer', { config: container }, 'create container: pod_sandbox_id is missing'],
  ['createContainer', { podSandboxId: 'p' }, 'create container: config is missing'],
  ['createContainer', { podSandboxId: 'p', config: { ...container, metadata: undefined } }, 'create container: config.metadata is missing'],
  ['createContainer', { podSandboxId: 'p', config: { ...container, metadata: { name: '', attempt: 0 } } },
    'create container: config.metadata.name is missing'],
  ['createContainer', { podSandboxId: 'p', config: { ...container, image: undefined } }, 'create container: config.image is missing'],
  ['createContainer', { podSandboxId: 'p', config: { ...container, image: only(ImageSpec) } }, 'create container: config.image.image is missing'],
  ['startContainer', {}, 'start container: container_id is missing'],
  ['stopContainer', { timeout: 0n }, 'stop container: container_id is missing'],
  ['removeContainer', {}, 'remove container: container_id is missing'],
  ['containerStatus', {}, 'status of container: container_id is missing'],
  ['containerStats', {}, 'stats of container: container_id is missing'],
  ['updateContainerResources', { linux, annotations: {} }, 'update resources of container: container_id is missing'],
  ['updateContainerResources', { containerId: 'c', annotations: {} }, 'update resources of container: linux is missing'],
  ['updateContainerResources', { containerId: 'c', linux, windows: only(WindowsContainerResources), annotations: {} },
    'update resources of container windows: this is a Linux node'],
  ['reopenContainerLog', {}, 'reopen log of container: container_id is missing'],
  ['execSync', { cmd: ['ls'], timeout: 0n }, 'exec in container: container_id is missing'],
  ['execSync', { containerId: 'c', cmd: [], timeout: 0n }, 'exec in container: cmd is missing'],
  ['exec', { cmd: ['ls'], stdout: true }, 'exec in container: container_id is missing'],
  ['exec', { containerId: 'c', cmd: [], stdout: true }, 'exec in container: cmd is missing'],
  ['exec', { containerId: 'c', cmd: ['ls'] }, 'exec in container c: none of stdin, stdout and stderr is wanted; ask for at least one'],
  ['exec', { containerId: 'c', cmd: ['ls'], tty: true, stdout: true, stderr: true },
    'exec in container c: tty and stderr exclude each other: a terminal has its output on stdout'],
  ['attach', { stdout: true }, 'attach to container: container_id is missing'],
  ['attach', { containerId: 'c', tty: true }, 'attach to container c: none of stdin, stdout and stderr is wanted; ask for at least one'],
  ['attach', { containerId: 'c', tty: true, stderr: true }, 'attach to container c: tty and stderr exclude each other: a terminal has its output on stdout'],
  ['portForward', { port: [] }, 'forward ports of pod: pod_sandbox_id is missing'],
  ['portForward', { podSandboxId: 'p', port: [80, 0] }, 'forward ports of pod p: port 0 is not one from 1 to 65535'],
  ['portForward', { podSandboxId: 'p', port: Array.from({ length: 128 }, (_, i) => i + 1) },
    'forward ports of pod p: 128 ports are more than 127; forward them in several sessions'],
  ['checkpointContainer', { location: '/a.tar', timeout: 0n }, 'checkpoint container: container_id is missing'],
  ['checkpointContainer', { containerId: 'c', location: '', timeout: 0n }, 'checkpoint container: location is missing'],
  ['checkpointContainer', { containerId: 'c', location: '/a.tar', timeout: -1n }, 'checkpoint container timeout: -1 seconds are less than none'],
  ['checkpointPod', { outputPath: '/out', containerIds: [], options: {} }, 'checkpoint pod: pod_sandbox_id is missing'],
  ['checkpointPod', { podSandboxId: 'p', outputPath: '', containerIds: [], options: {} }, 'checkpoint pod: output_path is missing'],
  ['restorePod', { checkpointPath: '', options: {}, containerConfigs: [] }, 'restore pod: checkpoint_path is missing'],
  ['restorePod', { checkpointPath: '/out', options: {}, containerConfigs: [] }, 'restore pod: config is missing'],
  ['restorePod', { checkpointPath: '/out', config: { ...pod, metadata: { ...metadata, name: '' } }, options: {}, containerConfigs: [] }, 'restore pod: config.metadata.name is missing'],
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
    const empty = { podSandboxId: '', containerId: '', runtimeHandler: '', verbose: false, tty: false, stdin: false, stdout: false, stderr: false };
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

test('a huge timeout is the longest that a timer holds, and a negative one is refused', async (t) => {
  const fake = fakeEngine();
  const client = (await served(t, fake)).client();

  await client.call('stopContainer', { containerId: 'c', timeout: 2n ** 63n - 1n });
  const stop = await refused(client.call('stopContainer', { containerId: 'c', timeout: -5n }));
  const exec = await refused(client.call('execSync', { containerId: 'c', cmd: ['true'], timeout: -1n }));

  assert.deepEqual(fake.asked.map(({ args }) => args[1]), [2_000_000]);
  assert.deepEqual(stop, { code: 'INVALID_ARGUMENT', details: 'stop container timeout: -5 seconds are less than none' });
  assert.deepEqual(exec, { code: 'INVALID_ARGUMENT', details: 'exec in container timeout: -1 seconds are less than none' });
});

test('a filter by a state that there is not is refused, for its empty answer would read as none', async (t) => {
  const fake = fakeEngine();
  const client = (await served(t, fake)).client();
  const filter = { id: '', state: { state: 9 as never }, podSandboxId: '', labelSelector: {} };

  const unknown = (act: string) => ({ code: 'INVALID_ARGUMENT', details: `${act} filter.state.state: 9 is not a state that this version knows` });
  assert.deepEqual(await refused(client.call('listContainers', { filter })), unknown('list containers'));
  assert.deepEqual(await refused(client.call('listPodSandbox', { filter })), unknown('list pods'));
  assert.deepEqual(await refused(collected(client.stream('streamContainers', { filter }))), unknown('list containers'));
  assert.deepEqual(await refused(collected(client.stream('streamPodSandboxes', { filter }))), unknown('list pods'));
  assert.deepEqual(fake.asked, []);
});

test('annotations of a change of limits go to the engine with it', async (t) => {
  const fake = fakeEngine();
  const client = (await served(t, fake)).client();

  await client.call('updateContainerResources', { containerId: 'c', linux, windows: undefined, annotations: { 'cpu.shares': '9' } });

  assert.deepEqual(fake.asked.map(({ args }) => args[1]), [{ linux, annotations: { 'cpu.shares': '9' } }]);
});

test('limits for Windows are refused on a Linux node', async (t) => {
  const client = (await served(t, fakeEngine())).client();

  const answer = await refused(client.call('updateContainerResources', { containerId: 'c', linux, windows: only(WindowsContainerResources), annotations: {} }));

  assert.deepEqual(answer, { code: 'INVALID_ARGUMENT', details: 'update resources of container windows: this is a Linux node' });
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

test('a session is offered for the whole id, with what the client may open and what the container has', async (t) => {
  const { client, offered } = await served(t, fakeEngine());
  const streams = { stdin: true, stdout: true, stderr: false, tty: true };

  await client().call('exec', { containerId: 'c', cmd: ['sh'], ...streams });
  await client().call('attach', { containerId: 'c', ...streams });
  await client().call('portForward', { podSandboxId: 'p', port: [80] });

  assert.deepEqual(offered, [
    { kind: 'exec', containerId: 'c-whole', command: ['sh'], ...streams },
    { kind: 'attach', containerId: 'c-whole', container: { tty: true, stdin: false }, ...streams },
    { kind: 'portforward', podId: 'p-whole', ports: [80] },
  ]);
});
