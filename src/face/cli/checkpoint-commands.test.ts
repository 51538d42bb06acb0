import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ContainerConfig, PodSandboxConfig, RestorePodRequest } from '../../gen/cri.ts';
import type { CheckpointContainerRequest, CheckpointPodRequest, CreateContainerRequest } from '../../gen/cri.ts';
import { imageSpec } from './image-spec.ts';
import { fakeRuntime, runCommand, type FakeRuntime } from './runtime.fake.ts';

const blank = new Uint8Array();

interface Bed {
  readonly fake: FakeRuntime;
  readonly folder: string;
  readonly podId: string;
  readonly containerId: string;
  gantry(...words: string[]): Promise<{ code: number; out: string; err: string }>;
}

/** A pod shop/web with a container `server`, running. */
async function bed(t: TestContext): Promise<Bed> {
  const fake = await fakeRuntime(t);
  const call = <T>(name: string, request: object): T => fake.methods[name]!(request as never) as T;
  const folder = path.dirname(fake.socket);
  const sandboxConfig = { metadata: { name: 'web', namespace: 'shop', uid: 'u', attempt: 0 }, labels: {}, annotations: {}, logDirectory: folder };
  const { podSandboxId: podId } = call<{ podSandboxId: string }>('runPodSandbox', { config: sandboxConfig });
  const { containerId } = call<{ containerId: string }>('createContainer', { podSandboxId: podId, sandboxConfig, config: { metadata: { name: 'server', attempt: 0 }, image: imageSpec('sha256:i'), labels: {}, annotations: {}, logPath: 's.log' } });
  call('startContainer', { containerId });
  fake.calls.length = 0;
  return { fake, folder, podId, containerId, gantry: (...words) => runCommand(fake.socket, words) };
}

test('a container becomes an archive at a path that is made absolute', async (t) => {
  const { fake, containerId, gantry } = await bed(t);
  const asked: CheckpointContainerRequest[] = [];
  fake.methods['checkpointContainer'] = (request: CheckpointContainerRequest) => asked.push(request) && {};

  const { code, out } = await gantry('checkpoint', '--timeout', '1500ms', 'web/server', 'one.tar');

  assert.deepEqual([code, out], [0, `${path.resolve('one.tar')}\n`]);
  assert.deepEqual(asked, [{ containerId, location: path.resolve('one.tar'), timeout: 2n }]);
});

test('a pod becomes a directory with all its containers that run, and one that was made for it goes when that fails', async (t) => {
  const { fake, folder, podId, containerId, gantry } = await bed(t);
  const asked: CheckpointPodRequest[] = [];
  fake.methods['checkpointPod'] = (request: CheckpointPodRequest) => asked.push(request) && {};
  const target = path.join(folder, 'web');

  assert.equal((await gantry('checkpoint', 'shop/web', target)).code, 0);
  assert.deepEqual(asked, [{ podSandboxId: podId, outputPath: target, containerIds: [containerId], options: {} }]);
  assert.ok(existsSync(target));

  fake.methods['checkpointPod'] = () => { throw new Error('CRIU: no'); };
  const failed = path.join(folder, 'failed');
  assert.match((await gantry('checkpoint', 'shop/web', failed)).err, /gantry checkpoint: checkpoint pod shop\/web: .*CRIU: no/);
  assert.equal(existsSync(failed), false);
  assert.equal((await gantry('checkpoint', 'shop/web', path.join(folder, 'no/where'))).code, 1);
  await gantry('stop', 'web/server');
  assert.match((await gantry('checkpoint', 'shop/web', failed)).err, /checkpoint pod shop\/web: none of its containers runs\n$/);
});

test('a directory becomes a pod with what it was asked for with, but a uid and a folder for logs of its own, and runs', async (t) => {
  const { fake, folder, containerId, gantry } = await bed(t);
  const asked: RestorePodRequest[] = [];
  fake.methods['restorePod'] = (request: RestorePodRequest) => asked.push(request) && { podSandboxId: 'new-pod', restoredContainers: [{ name: 'server', containerId }] };
  const source = path.join(folder, 'written');
  await mkdir(source);
  const config = { ...PodSandboxConfig.decode(blank), metadata: { name: 'web', namespace: 'shop', uid: 'old', attempt: 3 }, hostname: 'web', logDirectory: '/var/log/pods/shop_web_old' };
  const containerConfigs = [{ ...ContainerConfig.decode(blank), metadata: { name: 'server', attempt: 0 } }];
  await writeFile(path.join(source, 'request.pb'), RestorePodRequest.encode({ checkpointPath: '', config, runtimeHandler: 'runc', options: {}, containerConfigs }).finish());

  assert.deepEqual(await gantry('restore', '--name', 'copy', source), { code: 0, out: 'new-pod\n', err: '' });

  const [request] = asked;
  const { uid } = request!.config!.metadata!;
  assert.match(uid, /^[0-9a-f-]{36}$/);
  assert.deepEqual(request!.config, { ...config, metadata: { name: 'copy', namespace: 'shop', uid, attempt: 0 }, hostname: 'copy', logDirectory: `/var/log/pods/shop_copy_${uid}` });
  assert.deepEqual([request!.checkpointPath, request!.runtimeHandler, request!.containerConfigs], [source, 'runc', containerConfigs]);
  assert.deepEqual(fake.calls, ['start server']);
  await gantry('restore', '--no-start', source);
  assert.deepEqual([fake.calls.length, asked[1]!.config!.metadata!.name], [1, 'web']);
});

test('an archive becomes a container of a pod, with the mounts that are named and a free attempt', async (t) => {
  const { fake, folder, podId, gantry } = await bed(t);
  fake.methods['createContainer'] = (request: CreateContainerRequest) => fake.created.push(request) && { containerId: 'restored-id' };
  fake.methods['startContainer'] = () => ({});
  const archive = path.join(folder, 'one.tar');
  await writeFile(archive, '');

  assert.deepEqual(await gantry('restore', '--name', 'server', '--mounts', '/a:/b:ro,/c:/d', archive, 'web'), { code: 0, out: 'restored-id\n', err: '' });

  const { podSandboxId, config } = fake.created.at(-1)!;
  assert.equal(podSandboxId, podId);
  assert.deepEqual([config!.metadata, config!.image!.image, config!.logPath], [{ name: 'server', attempt: 1 }, archive, 'server/1.log']);
  assert.deepEqual(config!.mounts.map(({ hostPath, containerPath, readonly }) => [hostPath, containerPath, readonly]), [['/a', '/b', true], ['/c', '/d', false]]);
});

test('a restore that was called wrongly is told how', async (t) => {
  const { folder, gantry } = await bed(t);
  const archive = path.join(folder, 'one.tar');
  await writeFile(archive, '');

  for (const [words, code, told] of [
    [[archive], 2, 'an archive becomes a container in a pod: POD is missing, see gantry restore --help'],
    [[folder, 'web'], 2, 'a directory becomes a pod of its own: name no POD, see gantry restore --help'],
    [['--mounts', '/a:/b', folder], 2, '--mounts is for archives: a pod has its own, see gantry restore --help'],
    [[archive, 'web', 'more'], 2, 'one word too many: "more", see gantry restore --help'],
    [['--mounts', 'a:/b', archive, 'web'], 2, '--mounts wants HOST:CONTAINER[:ro] with absolute paths, not "a:/b", see gantry restore --help'],
    [['--mounts', '/a:/b:rw', archive, 'web'], 2, '--mounts wants HOST:CONTAINER[:ro] with absolute paths, not "/a:/b:rw", see gantry restore --help'],
  ] as const) assert.deepEqual(await gantry('restore', ...words), { code, out: '', err: `gantry restore: ${told}\n` });
  assert.match((await gantry('restore', folder)).err, /it has no request\.pb: it is no checkpoint of a pod by gantry\n$/);
  assert.match((await gantry('restore', '/nowhere/x')).err, /restore \/nowhere\/x: ENOENT/);
});
