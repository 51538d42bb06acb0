/** Images over the socket: pulling by every kind of name, one identity in every call, removal, and what they take. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path, { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { Client, credentials, status } from '@grpc/grpc-js';
import { AdminService, LayerPhase, type Pull, type WatchPullsResponse } from '../../src/gen/admin.ts';
import { ContainerFilter, ContainerState, ImageFilter, ImageSpec } from '../../src/gen/cri.ts';
import { runCommand } from '../../src/face/cli/runtime.fake.ts';
import { message } from '../support/cri-messages.ts';
import { busyboxImage, makeImage, makeIndex, pushImage, type TestEntry, type TestImage } from '../support/image.ts';
import { startFaultyRegistry } from '../support/registry.ts';
import { assertFails, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload({ config: '[image]\npinned = ["*/kept-by-name:*"]\n' });
after(() => node.stop());
const { client, registry } = node;
const program = path.join(import.meta.dirname, '../../dist/main/gantry.js');

interface DiskUsageJson {
  readonly images: readonly { id: string; totalBytes: string; exclusiveBytes: string; sharedBytes: string }[];
  readonly layers: readonly { imageIds: readonly string[] }[];
}

const spec = (image: string): { image: ImageSpec } => ({ image: message(ImageSpec, { image }) });
const statusOf = async (image: string) => (await client.imageStatus(spec(image))).image;
const remove = (image: string) => client.removeImage(spec(image));
const goArchitecture = process.arch === 'x64' ? 'amd64' : process.arch;

/** An image like no other, with a file that says which. */
function named(name: string, recipe: Parameters<typeof busyboxImage>[0] = {}): TestImage {
  const file: TestEntry = { path: 'name', content: `${name}\n` };
  return busyboxImage({ ...recipe, layers: [[file]] });
}

async function fileIn(image: string): Promise<string> {
  const pod = await node.runPod();
  const output = await node.outputOf(pod, { image, script: 'cat /name' });
  await node.removePod(pod);
  return output.trim();
}

async function usage(): Promise<{ bytes: bigint; inodes: bigint }> {
  const { imageFilesystems: [of] } = await client.imageFsInfo();
  return { bytes: of?.usedBytes?.value ?? -1n, inodes: of?.inodesUsed?.value ?? -1n };
}

test('an image that the configuration pins is told to be pinned, and no other', async () => {
  const kept = await pushImage(registry, 'kept-by-name:v1', named('kept'));
  const other = await pushImage(registry, 'kept:v1', named('not kept'));

  for (const image of [kept, other]) await client.pullImage(spec(image));

  assert.deepEqual([(await statusOf(kept))?.pinned, (await statusOf(other))?.pinned], [true, false]);
  for (const image of [kept, other]) await remove(image);
});

test('an image goes out and comes in by the commands, and runs', async (t) => {
  const reference = await pushImage(registry, 'test/archived:1', named('archived'));
  const id = await node.pull(reference);
  const folder = await mkdtemp(join(tmpdir(), 'gantry-archives-'));
  t.after(() => rm(folder, { recursive: true }));
  const gantry = async (...words: string[]): Promise<string> => {
    const { code, out, err } = await runCommand(node.daemon.paths.socket, ['image', ...words]);
    assert.equal(code, 0, err);
    return out;
  };

  await gantry('tag', reference, 'archived:mine');
  await gantry('save', '-o', join(folder, 'a.tar'), 'archived:mine');
  await gantry('export', '--format', 'oci-dir', '-o', join(folder, 'layout'), 'archived:mine');
  assert.equal(await gantry('rm', 'archived:mine'), 'untagged docker.io/library/archived:mine\n');
  await remove(reference);

  for (const archive of ['a.tar', 'layout']) {
    assert.equal(await gantry('load', join(folder, archive)), 'docker.io/library/archived:mine\n');
    assert.equal((await statusOf('archived:mine'))?.id, id);
    assert.equal(await fileIn('archived:mine'), 'archived');
    assert.match(await gantry('rm', id), new RegExp(`removed ${id}\\n$`));
  }
  const refused = await runCommand(node.daemon.paths.socket, ['image', 'load'], { stdin: 'no archive' });
  assert.equal(refused.err, 'gantry image load: load image from stdin: read tar: the archive is cut short\n');
});

test('an image is pulled by tag, and every call calls it by the same id', async () => {
  const image = named('by-tag');
  const reference = await pushImage(registry, 'test/by-tag:1', image);

  const pulled = await node.pull(reference);

  assert.equal(pulled, image.id);
  const one = await statusOf(reference);
  assert.deepEqual([one?.id, one?.repoTags, one?.repoDigests], [image.id, [reference], [`${registry.host}/test/by-tag@${image.top.digest}`]]);
  const { images } = await client.listImages({ filter: message(ImageFilter, spec(reference)) });
  assert.deepEqual(images, [one]);
  const pod = await node.runPod();
  const containerId = await node.runContainer(pod, { image: reference });
  const container = await node.statusOf(containerId);
  assert.deepEqual([container.imageRef, container.imageId, container.image?.image], [image.id, image.id, reference]);
  const { containers } = await client.listContainers({ filter: message(ContainerFilter, { id: containerId }) });
  assert.deepEqual([containers[0]?.imageRef, containers[0]?.imageId], [image.id, image.id]);
  await node.removePod(pod);
});

test('an image is found by id, short id, tag and digest', async () => {
  const image = named('found');
  const reference = await pushImage(registry, 'test/found:1', image);
  await node.pull(reference);

  for (const name of [image.id, image.id.slice('sha256:'.length), image.id.slice('sha256:'.length, 20), reference, `${registry.host}/test/found@${image.top.digest}`]) {
    assert.equal((await statusOf(name))?.id, image.id, name);
  }
  assert.equal(await statusOf(`${registry.host}/test/found:2`), undefined);
});

test('an image is pulled by digest, and has no tag then', async () => {
  const image = named('by-digest');
  await pushImage(registry, 'test/by-digest:1', image);
  const reference = `${registry.host}/test/by-digest@${image.top.digest}`;

  assert.equal(await node.pull(reference), image.id);

  const one = await statusOf(reference);
  assert.deepEqual([one?.repoTags, one?.repoDigests], [[], [reference]]);
  assert.equal(await fileIn(reference), 'by-digest');
});

for (const [compression, format] of [['zstd', 'oci'], ['none', 'oci'], ['gzip', 'docker']] as const) {
  test(`layers in ${compression} of a manifest in the format of ${format} are unpacked`, async () => {
    const name = `${compression}-${format}`;
    const reference = await pushImage(registry, `test/${name}:1`, named(name, { compression, format }));

    await node.pull(reference);

    assert.equal(await fileIn(reference), name);
  });
}

test("of an index the node's own platform is taken, and the digest is that of the index", async () => {
  const mine = named('mine');
  const index = makeIndex([
    { image: named('foreign'), platform: { os: 'linux', architecture: 's390x' } },
    { image: mine, platform: { os: 'linux', architecture: goArchitecture } },
  ]);
  const reference = await pushImage(registry, 'test/index:1', index);

  assert.equal(await node.pull(reference), mine.id);

  assert.equal(await fileIn(reference), 'mine');
  assert.deepEqual((await statusOf(reference))?.repoDigests, [`${registry.host}/test/index@${index.top.digest}`]);
});

test('an index without this platform is refused, and says what there is', async () => {
  const index = makeIndex([{ image: named('only-foreign'), platform: { os: 'linux', architecture: 's390x' } }]);
  const reference = await pushImage(registry, 'test/foreign:1', index);

  await assertFails(node.pull(reference), status.NOT_FOUND, new RegExp(`pull image .*test/foreign:1: .*none for linux/${goArchitecture}.*it has linux/s390x`));
});

test('a tag that moves takes its name along; the old image stays under its digest', async () => {
  const [first, second] = [named('first'), named('second')];
  const reference = await pushImage(registry, 'test/moving:1', first);
  await node.pull(reference);
  await pushImage(registry, 'test/moving:1', second);

  assert.equal(await node.pull(reference), second.id);

  assert.equal((await statusOf(reference))?.id, second.id);
  assert.deepEqual((await statusOf(first.id))?.repoTags, []);
  assert.equal(await fileIn(first.id), 'first');
});

test('the user of the image is in its status, as a number or as a name', async () => {
  const users = new Map([['1000:5', { uid: { value: 1000n }, username: '' }], ['app', { uid: undefined, username: 'app' }]]);
  for (const [user, expected] of users) {
    const reference = await pushImage(registry, `test/user-${user.split(':')[0]}:1`, busyboxImage({ config: { User: user } }));
    await node.pull(reference);

    const one = await statusOf(reference);

    assert.deepEqual({ uid: one?.uid, username: one?.username }, expected);
  }
});

test('what images take changes by exactly what is pulled and removed; shared layers count once', async () => {
  const before = await usage();
  const layer = (name: string): TestEntry[] => [{ path: name, content: randomBytes(100_000) }];
  const [common, own, other] = [layer('common'), layer('own'), layer('other')];
  const one = await pushImage(registry, 'test/one:1', makeImage({ layers: [common, own] }));
  const two = await pushImage(registry, 'test/two:1', makeImage({ layers: [common, other] }));

  await node.pull(one);
  const withOne = await usage();
  await node.pull(two);
  const withTwo = await usage();

  assert.ok(withOne.bytes - before.bytes > 200_000n && withOne.bytes - before.bytes < 300_000n);
  assert.ok(withTwo.bytes - withOne.bytes > 100_000n && withTwo.bytes - withOne.bytes < 150_000n);
  await remove(two);
  assert.deepEqual(await usage(), withOne);
  await remove(one);
  assert.deepEqual(await usage(), before);
});

test('pulling again what is here changes nothing', async () => {
  const reference = await pushImage(registry, 'test/again:1', named('again'));
  const id = await node.pull(reference);
  const before = await usage();

  assert.equal(await node.pull(reference), id);

  assert.deepEqual(await usage(), before);
});

test('many pulls of one image at once all succeed and fetch it once', async () => {
  const image = named('crowd');
  const reference = await pushImage(registry, 'test/crowd:1', image);
  const before = await usage();

  const ids = await Promise.all(Array.from({ length: 10 }, () => node.pull(reference)));

  assert.deepEqual(new Set(ids), new Set([image.id]));
  const { images } = await client.listImages({ filter: message(ImageFilter, spec(reference)) });
  assert.equal(images.length, 1);
  await remove(reference);
  assert.deepEqual(await usage(), before);
});

test('an image in use is not removed, whatever the state of the container; afterwards it is, with all its names', async () => {
  const image = named('in-use');
  const reference = await pushImage(registry, 'test/in-use:1', image);
  await node.pull(reference);
  const pod = await node.runPod();
  const containerId = await node.runContainer(pod, { image: reference, script: 'exit 0' });
  await node.ended(containerId);

  await assertFails(remove(reference), status.FAILED_PRECONDITION, new RegExp(`remove image .*in use by container ${containerId}; remove the container first`));
  await client.removeContainer({ containerId });
  await remove(image.id);

  assert.equal(await statusOf(reference), undefined);
  assert.equal(await statusOf(image.id), undefined);
  await remove(reference);
  await node.removePod(pod);
});

test('a container whose image was pulled anew under its tag keeps what it was made from', async () => {
  const reference = await pushImage(registry, 'test/kept:1', named('old'));
  await node.pull(reference);
  const pod = await node.runPod();
  const containerId = await node.runContainer(pod, { image: reference });

  await pushImage(registry, 'test/kept:1', named('new'));
  await node.pull(reference);

  assert.equal(await node.sh(containerId, 'cat /name'), 'old');
  assert.equal((await node.statusOf(containerId)).state, ContainerState.CONTAINER_RUNNING);
  await node.removePod(pod);
});

test('images survive a restart of the daemon', async () => {
  const before = (await client.listImages()).images;

  await node.daemon.restart();

  assert.deepEqual((await client.listImages()).images, before);
  assert.equal(await fileIn(`${registry.host}/test/by-tag:1`), 'by-tag');
});

/** Runs a command of `gantry` against this daemon; resolves with what it wrote. */
async function gantry(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return await promisify(execFile)(process.execPath, [program, ...args], { env: { ...process.env, GANTRY_SOCKET: node.daemon.paths.socket } });
}

/** What the daemon says of the pull of this image, until `enough`. */
async function watched(image: string, enough: (pull: Pull) => boolean): Promise<Pull> {
  const admin = new Client(`unix:${node.daemon.paths.socket}`, credentials.createInsecure());
  try {
    const { path, requestSerialize, responseDeserialize } = AdminService.watchPulls;
    const answers = admin.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { image, intervalMs: 100 }, { deadline: Date.now() + 20_000 });
    for await (const { pulls: [pull] } of answers as AsyncIterable<WatchPullsResponse>) if (pull !== undefined && enough(pull)) return pull;
    return assert.fail('the watch ended');
  } finally {
    admin.close();
  }
}

test('a pull can be watched layer by layer, and afterwards each byte of two images that share a layer is accounted for', async () => {
  const random = (size: number): Buffer => randomBytes(size);
  const shared: TestEntry = { path: 'shared', content: random(400_000) };
  const [one, two] = ['one', 'two'].map((name) => makeImage({ compression: 'none', layers: [[shared], [{ path: name, content: random(200_000) }]] })) as [TestImage, TestImage];
  const [, , slow] = one.blobs;
  const { promise: go, resolve: release } = Promise.withResolvers<void>();
  const faulty = await startFaultyRegistry({ 'one:1': one, 'two:1': two }, async (request, response) => {
    if (!request.url.endsWith(slow!.digest)) return false;
    response.writeHead(200, { 'content-length': slow!.bytes.length }).write(slow!.bytes.subarray(0, 100_000));
    await go;
    response.end(slow!.bytes.subarray(100_000));
    return true;
  });
  const names = [`${faulty.host}/one:1`, `${faulty.host}/two:1`] as const;

  const pulling = gantry('pull', names[0]);
  const pull = await watched(names[0], ({ layers }) => layers.some(({ phase }) => phase === LayerPhase.LAYER_DONE) && layers.some(({ bytesReceived }) => bytesReceived === 100_000n));
  assert.deepEqual(pull.layers.map(({ digest, bytesReceived, bytesWanted, host }) => [digest, bytesReceived, bytesWanted, host]), [
    [one.blobs[1]!.digest, BigInt(one.blobs[1]!.bytes.length), BigInt(one.blobs[1]!.bytes.length), faulty.host],
    [slow!.digest, 100_000n, BigInt(slow!.bytes.length), faulty.host],
  ]);
  release();
  const { stdout, stderr } = await pulling;
  assert.equal(stdout, `${one.id}\n`);
  assert.match(stderr, new RegExp(`layer ${slow!.digest.slice(7, 19)} done, 20\\d kB\n.*: 2 layers with 60\\d kB in`));

  await node.pull(names[1]);
  const usage = JSON.parse((await gantry('df', '-o', 'json')).stdout) as DiskUsageJson;
  const of = (image: TestImage) => usage.images.find(({ id }) => id === image.id)!;
  for (const image of [one, two]) assert.equal(Number(of(image).totalBytes), Number(of(image).exclusiveBytes) + Number(of(image).sharedBytes));
  assert.equal(of(one).sharedBytes, of(two).sharedBytes);
  assert.ok(Number(of(one).sharedBytes) >= 400_000 && Number(of(one).exclusiveBytes) >= 200_000);
  assert.equal(usage.layers.filter(({ imageIds }) => imageIds.includes(one.id) && imageIds.includes(two.id)).length, 1);
  assert.match(node.daemon.log(), /pull begins.*one:1[^]*pull is done.*one:1/);

  for (const name of names) await remove(name);
  await faulty.stop();
});

test('names that cannot be pulled are refused, each for its reason', async () => {
  await assertFails(node.pull(`${registry.host}/Test/Case:1`), status.INVALID_ARGUMENT, /Test\/Case/);
  await assertFails(node.pull(''), status.INVALID_ARGUMENT, /image/);
  await assertFails(node.pull(`${registry.host}/test/absent:1`), status.NOT_FOUND, /pull image 127\.0\.0\.1:\d+\/test\/absent:1/);
  await assertFails(node.pull(`${registry.host}/test/by-tag:2`), status.NOT_FOUND, /test\/by-tag:2/);
});

test('a container of an image that is not here is refused', async () => {
  const pod = await node.runPod();

  await assertFails(node.createContainer(pod, { image: `${registry.host}/test/never-pulled:1` }), status.NOT_FOUND, /it is not on this node: pull it first/);
});

test('of all these pods nothing is left once they are removed', () => assertRemovalLeavesNothing(node.daemon));
