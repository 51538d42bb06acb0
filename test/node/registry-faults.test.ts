/** Registries that are down, refuse or lie: the message says what, the code is what the kubelet expects, and nothing is left. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { AuthConfig, ImageSpec } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { blobOf, busyboxImage, jsonBlob, makeImage, pushImage } from '../support/image.ts';
import { startFaultyRegistry, startRegistry, type Fault } from '../support/registry.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertNoTraces } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { client, daemon } = node;

const image = makeImage({ layers: [[{ path: 'file', content: 'x'.repeat(100_000) }]], compression: 'none' });
const [, layer] = image.blobs;
const before = await usage();

/** The images are what they were, and nothing of a failed pull lies about. */
afterEach(async () => {
  assert.deepEqual(await usage(), before);
  assert.equal((await client.listImages()).images.length, 1);
  await eventually(() => assert.deepEqual(readdirSync(path.join(daemon.paths.root, 'staging')), []));
  await assertNoTraces(daemon);
});

async function usage(): Promise<unknown> {
  const { imageFilesystems: [of] } = await client.imageFsInfo();
  return [of?.usedBytes, of?.inodesUsed];
}

/** Pulls from a registry that misbehaves in this way; it must fail like this. */
async function pullFails(fault: Fault, code: status, pattern: RegExp, served = image): Promise<void> {
  const registry = await startFaultyRegistry({ 'app:v1': served }, fault);
  try {
    await assertFails(node.pull(`${registry.host}/app:v1`), code, pattern);
  } finally {
    await registry.stop();
  }
}

/** The kubelet knows an unavailable registry by these words, under this code only. */
const unavailable = /^RegistryUnavailable: pull image 127\.0\.0\.1:\d+\/app:v1: /;

test('a registry that is down', async () => {
  const registry = await startFaultyRegistry({});
  await registry.stop();

  await assertFails(node.pull(`${registry.host}/app:v1`), status.UNKNOWN, unavailable);
});

test('a registry that has broken down inside', async () => {
  await pullFails((_, response) => Boolean(response.writeHead(500).end('oh dear')), status.UNKNOWN, unavailable);
});

test('an image that the registry does not have', async () => {
  await assertFails(node.pull(`${node.registry.host}/test/absent:1`), status.NOT_FOUND, /pull image .*test\/absent:1: /);
});

test('a layer that is not what its digest says', async () => {
  await pullFails((request, response) => {
    if (!request.url.includes(layer!.digest)) return false;
    response.writeHead(200, { 'content-length': layer!.bytes.length }).end(Buffer.from(layer!.bytes.toString('latin1').replace('xxxx', 'evil'), 'latin1'));
    return true;
  }, status.UNAVAILABLE, new RegExp(`pull image .*app:v1: .*verify blob ${layer!.digest}: what the registry sent has the digest sha256:`));
});

test('a manifest that is not what its digest says', async () => {
  const registry = await startFaultyRegistry({ 'app:v1': image }, (request, response) => {
    if (!request.url.includes('/manifests/')) return false;
    response.writeHead(200, { 'content-type': image.top.mediaType }).end(`${image.top.bytes.toString()} `);
    return true;
  });
  try {
    await assertFails(node.pull(`${registry.host}/app@${image.top.digest}`), status.UNAVAILABLE, new RegExp(`verify manifest app@.*it should have the digest ${image.top.digest}, what 127\\.0\\.0\\.1:\\d+ sent has sha256:`));
  } finally {
    await registry.stop();
  }
});

test('a layer whose contents are not what the configuration says', async () => {
  const config = JSON.parse(image.blobs[0]!.bytes.toString()) as { rootfs: { diff_ids: string[] } };
  const lying = jsonBlob(image.blobs[0]!.mediaType, { ...config, rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } });
  const manifest = JSON.parse(image.top.bytes.toString()) as { config: object };
  const top = jsonBlob(image.top.mediaType, { ...manifest, config: { mediaType: lying.mediaType, digest: lying.digest, size: lying.bytes.length } });

  await pullFails(() => false, status.FAILED_PRECONDITION, /pull image .*0{64}/, { ...image, top, blobs: [lying, layer!] });
});

test('a layer that is no archive', async () => {
  const nonsense = blobOf(layer!.mediaType.replace('.tar', '.tar+gzip'), Buffer.from('this is not gzip'));
  const manifest = JSON.parse(image.top.bytes.toString()) as object;
  const top = jsonBlob(image.top.mediaType, { ...manifest, layers: [{ mediaType: nonsense.mediaType, digest: nonsense.digest, size: nonsense.bytes.length }] });

  await pullFails(() => false, status.FAILED_PRECONDITION, /pull image .*app:v1: /, { ...image, top, blobs: [image.blobs[0]!, nonsense] });
});

test('a registry that wants to know who is there: with the right words in, with wrong ones or none out', async () => {
  const registry = await startRegistry({ auth: true });
  try {
    const reference = await pushImage(registry, 'private/app:1', busyboxImage());
    const pull = (auth?: Partial<AuthConfig>) => client.pullImage({ image: message(ImageSpec, { image: reference }), auth: auth === undefined ? undefined : message(AuthConfig, auth) });

    await assertFails(pull(), status.FAILED_PRECONDITION, /pull image .*private\/app:1: .*refuses access \(401\), no credentials for it were given/);
    await assertFails(pull({ username: 'gantry', password: 'swordfish' }), status.FAILED_PRECONDITION, /refuses access \(401\), with the given credentials/);
    assert.match((await pull({ ...registry.login })).imageRef, /^sha256:/);
    assert.doesNotMatch(daemon.log(), /swordfish|secret/);
  } finally {
    await client.removeImage({ image: message(ImageSpec, { image: `${registry.host}/private/app:1` }) });
    await node.pull(node.image); // it is the same image: its names went with it
    await registry.stop();
  }
});

test('a pull whose caller goes away ends, and what came of it goes', async () => {
  let asked = false;
  const registry = await startFaultyRegistry({ 'app:v1': image }, (request, response) => {
    if (!request.url.includes(layer!.digest)) return false;
    asked = true;
    response.writeHead(200, { 'content-length': layer!.bytes.length }).write(layer!.bytes.subarray(0, 1000));
    return true;
  });
  const gone = new AbortController();
  const pulling = client.pullImage({ image: message(ImageSpec, { image: `${registry.host}/app:v1` }) }, { signal: gone.signal });
  await eventually(() => assert.ok(asked));
  await sleep(50);

  gone.abort();

  await assertFails(pulling, status.CANCELLED, /./);
  await registry.stop();
});

test('a daemon that is killed in the middle of a pull: the next one has nothing of it, and can pull', async () => {
  let answers = false;
  const registry = await startFaultyRegistry({ 'app:v1': image }, (request, response) => {
    if (answers || !request.url.includes(layer!.digest)) return false;
    response.writeHead(200, { 'content-length': layer!.bytes.length }).write(layer!.bytes.subarray(0, 50_000));
    return true;
  });
  const reference = `${registry.host}/app:v1`;
  const pulling = node.pull(reference).catch(() => {});
  await eventually(() => assert.notDeepEqual(readdirSync(path.join(daemon.paths.root, 'staging')), []));

  await daemon.kill9();
  await pulling;
  await daemon.restart();

  assert.deepEqual(await usage(), before);
  answers = true;
  assert.equal(await node.pull(reference), image.id);
  await client.removeImage({ image: message(ImageSpec, { image: reference }) });
  await registry.stop();
});
