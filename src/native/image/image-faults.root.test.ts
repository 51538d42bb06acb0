/** The image engine against registries that misbehave, and against its own sudden end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { descriptorOf, jsonBlob, makeImage } from '../../../test/support/image.ts';
import type { TestImage } from '../../../test/support/image.ts';
import { startFaultyRegistry } from '../../../test/support/registry.ts';
import type { Fault, FaultyRegistry } from '../../../test/support/registry.ts';
import { silentLogger } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import type { AuthConfig } from '../../gen/cri.ts';
import { openStore } from '../../part/store/store.ts';
import type { Store } from '../../part/store/store.ts';
import { createImageEngine } from './image-engine.ts';
import type { ImageEngineOptions, NativeImageEngine } from './image-engine.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const noAuth: AuthConfig = { username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '' };
const login = { ...noAuth, username: 'user', password: 'secret' };
const incompressible = Buffer.from(Array.from({ length: 600_000 }, (_, i) => (i * 2_654_435_761) >>> 13));
const image = makeImage({ layers: [[{ path: 'a', content: 'first' }], [{ path: 'b', content: incompressible }]], compression: 'none' });
const [, , bigLayer = image.top] = image.blobs;

interface Bench {
  readonly root: string;
  readonly store: Store;
  readonly engine: NativeImageEngine;
  pull(auth?: AuthConfig, signal?: AbortSignal): Promise<string>;
  /** Nothing of a failed pull is left: no staging, no image, no debt. */
  assertNothingLeft(): void;
}

async function makeBench(t: TestContext, registry: FaultyRegistry, options: Partial<ImageEngineOptions> = {}): Promise<Bench> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-faults-'));
  const store = openStore(join(root, 'gantry.db'));
  const hostRules = () => ({ schemes: ['http'] as const });
  const engine = createImageEngine({ root, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [], registryFiles: { hostRules }, ...options });
  t.after(async () => {
    await engine.close();
    store.close();
    rmSync(root, { recursive: true, force: true });
  });
  return {
    root, store, engine,
    pull: async (auth, signal = new AbortController().signal) => await engine.pull(
      { image: { image: `${registry.host}/app:v1`, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, auth, podConfig: undefined },
      { id: 'test', signal, stages: new Stages(), log: silentLogger },
    ),
    assertNothingLeft() {
      assert.deepEqual(readdirSync(join(root, 'staging')), []);
      assert.deepEqual(store.ledger.rows(), []);
      assert.equal(readdirSync(join(root, 'content')).length, 0);
    },
  };
}

async function misbehaving(t: TestContext, fault: Fault, images: Record<string, TestImage> = { 'app:v1': image }): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry(images, fault);
  t.after(() => registry.stop());
  return registry;
}

function fails(kind: string, why: RegExp): (error: Error & { kind?: string }) => boolean {
  return (error) => {
    assert.match(error.message, why);
    assert.equal(error.kind, kind, error.message);
    return true;
  };
}

const hasUrl = (part: string, answer: Fault): Fault => (request, response) => (request.url.includes(part) ? answer(request, response) : false);

test('a mirror that is down, or lies about a layer, costs nothing but a detour', { skip }, async (t) => {
  const good = await startFaultyRegistry({ 'app:v1': image });
  const lying = await startFaultyRegistry({ 'app:v1': image }, (request, response) => {
    if (!request.url.includes(`/blobs/${bigLayer!.digest}`)) return false;
    response.writeHead(200, { 'content-length': bigLayer!.bytes.length }).end(Buffer.alloc(bigLayer!.bytes.length));
    return true;
  });
  t.after(async () => void await Promise.all([good.stop(), lying.stop()]));
  const directory = mkdtempSync(join(tmpdir(), 'gantry-mirrors-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const registriesConf = join(directory, 'registries.conf');
  writeFileSync(registriesConf, `[[registry]]\nlocation = "${good.host}"\ninsecure = true\n${['127.0.0.1:9', lying.host].map((mirror) => `[[registry.mirror]]\nlocation = "${mirror}"\ninsecure = true\n`).join('')}`);
  const bench = await makeBench(t, good, { registryFiles: { registriesConf } });

  await bench.pull();

  assert.equal((await bench.engine.list(undefined)).length, 1);
  assert.deepEqual(good.requests.map(({ url }) => url.replace(/.*\/app\//, '')).filter((url) => url.startsWith('blobs/')), [`blobs/${bigLayer!.digest}`]);
  assert.deepEqual(bench.store.ledger.rows(), []);
});

test('a short name is pulled from where registries.conf says, and known by it afterwards', { skip }, async (t) => {
  const [empty, good] = [await startFaultyRegistry({}), await startFaultyRegistry({ 'app:v1': image })];
  t.after(async () => void await Promise.all([empty.stop(), good.stop()]));
  const directory = mkdtempSync(join(tmpdir(), 'gantry-short-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const registriesConf = join(directory, 'registries.conf');
  writeFileSync(registriesConf, `unqualified-search-registries = ["${empty.host}", "${good.host}"]\n[aliases]\nours = "${good.host}/app"\n`);
  const { engine } = await makeBench(t, good, { registryFiles: { registriesConf } });
  const pull = (name: string): Promise<string> => engine.pull(
    { image: { image: name, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, auth: undefined, podConfig: undefined },
    { id: 'test', signal: new AbortController().signal, stages: new Stages(), log: silentLogger },
  );

  const bySearch = await pull('app:v1');
  const byAlias = await pull('ours:v1');

  assert.equal(byAlias, bySearch);
  for (const name of ['app:v1', 'ours:v1', `${good.host}/app:v1`]) assert.equal(engine.resolve(name).id, bySearch, name);
  assert.deepEqual((await engine.list(undefined)).map(({ repoTags }) => repoTags), [[`${good.host}/app:v1`]]);
  await assert.rejects(pull('nowhere:v1'), /pull image nowhere:v1: .*does not have it/);
});

test('a layer that is not what its digest says leaves nothing behind', { skip }, async (t) => {
  const lie = Buffer.from(bigLayer.bytes);
  lie.fill('evil', 1000, 1100);
  const registry = await misbehaving(t, hasUrl(bigLayer.digest, (_, response) => {
    response.writeHead(200, { 'content-length': lie.length }).end(lie);
    return true;
  }));
  const bench = await makeBench(t, registry);

  await assert.rejects(bench.pull(), fails('unavailable', /verify blob sha256:.*: what the registry sent has the digest sha256:/));

  bench.assertNothingLeft();
  assert.deepEqual(await bench.engine.list(undefined), []);
});

test('a manifest or configuration that is not what its digest says is refused', { skip }, async (t) => {
  const config = image.blobs[0] ?? image.top;
  const forged = jsonBlob(image.top.mediaType, { ...JSON.parse(image.top.bytes.toString('utf8')), annotations: { forged: 'yes' } });
  const asked = hasUrl('/manifests/', (_, response) => {
    response.writeHead(200, { 'content-type': forged.mediaType, 'docker-content-digest': image.top.digest }).end(forged.bytes);
    return true;
  });
  const manifestLie = await makeBench(t, await misbehaving(t, asked));
  const configLie = await makeBench(t, await misbehaving(t, hasUrl(config.digest, (_, response) => {
    response.writeHead(200).end(config.bytes.toString('utf8').replace('linux', 'linuX'));
    return true;
  })));

  await assert.rejects(manifestLie.pull(), fails('unavailable', /verify manifest app:v1: it should have the digest/));
  await assert.rejects(configLie.pull(), fails('unavailable', /verify image configuration sha256:/));
});

test('an image whose configuration and manifest disagree is refused', { skip }, async (t) => {
  const [config = image.top, layer = image.top] = image.blobs;
  const top = jsonBlob(image.top.mediaType, { schemaVersion: 2, config: descriptorOf(config), layers: [descriptorOf(layer)] });
  const bench = await makeBench(t, await misbehaving(t, () => false, { 'app:v1': { ...image, top } }));

  await assert.rejects(bench.pull(), fails('failed-precondition', /its manifest has 1 layers, its configuration 2/));
});

test('a broken download goes on where it stopped', { skip }, async (t) => {
  let breaks = 0;
  const registry = await misbehaving(t, hasUrl(bigLayer.digest, (request, response) => {
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start === 0 ? 200 : 206, { 'content-length': bigLayer.bytes.length - start, 'content-range': `bytes ${start}-${bigLayer.bytes.length - 1}/${bigLayer.bytes.length}` });
    if (breaks++ < 2) response.write(bigLayer.bytes.subarray(start, start + 200_000), () => response.destroy());
    else response.end(bigLayer.bytes.subarray(start));
    return true;
  }));
  const bench = await makeBench(t, registry);

  const id = await bench.pull();

  assert.deepEqual(readFileSync(join(bench.engine.resolve(id).layers[0] ?? '', 'b')), incompressible);
  const ranges = registry.requests.filter(({ url }) => url.includes(bigLayer.digest)).map(({ range }) => range);
  assert.equal(ranges[0], undefined);
  assert.ok(ranges.length === 3 && ranges.slice(1).every((range) => range !== undefined), String(ranges));
});

test('a registry that knows no ranges is read from the start again', { skip }, async (t) => {
  let breaks = 0;
  const bench = await makeBench(t, await misbehaving(t, hasUrl(bigLayer.digest, (_, response) => {
    if (breaks++ > 0) return false;
    response.writeHead(200, { 'content-length': bigLayer.bytes.length }).write(bigLayer.bytes.subarray(0, 200_000), () => response.destroy());
    return true;
  })));

  const id = await bench.pull();

  assert.deepEqual(readFileSync(join(bench.engine.resolve(id).layers[0] ?? '', 'b')), incompressible);
});

test('the urls of a foreign layer are never fetched (CVE-2020-15157)', { skip }, async (t) => {
  const elsewhere = await misbehaving(t, () => false);
  const [config = image.top, ...layers] = image.blobs;
  const foreign = layers.map((layer) => ({ ...descriptorOf(layer), urls: [`${elsewhere.url}/v2/app/blobs/${layer.digest}`] }));
  const top = jsonBlob(image.top.mediaType, { schemaVersion: 2, config: descriptorOf(config), layers: foreign });

  await (await makeBench(t, await misbehaving(t, () => false, { 'app:v1': { ...image, top } }))).pull(login);

  assert.deepEqual(elsewhere.requests, []);
});

test('concurrent pulls of a reference, and of one layer, share one download', { skip }, async (t) => {
  const sibling = makeImage({ layers: [[{ path: 'a', content: 'first' }], [{ path: 'b', content: incompressible }]], compression: 'none', config: { Cmd: ['other'] } });
  const registry = await misbehaving(t, async (request) => {
    if (request.url.includes('/blobs/')) await sleep(100);
    return false;
  }, { 'app:v1': image, 'app:v2': sibling });
  const bench = await makeBench(t, registry);
  const pullSibling = bench.engine.pull(
    { image: { image: `${registry.host}/app:v2`, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, auth: undefined, podConfig: undefined },
    { id: 'test', signal: new AbortController().signal, stages: new Stages(), log: silentLogger },
  );

  const ids = await Promise.all([bench.pull(), bench.pull(), bench.pull(), bench.pull(login), pullSibling]);

  assert.deepEqual(new Set(ids), new Set([image.id, sibling.id]));
  for (const layer of image.blobs.slice(1)) assert.equal(registry.requests.filter(({ url }) => url.includes(layer.digest)).length, 1, 'one download a layer');
  // Other credentials make their own way to the manifest: the registry must say yes to each.
  assert.equal(registry.requests.filter(({ url }) => url.endsWith('/manifests/v1')).length, 2);
});

test('a pull that nobody waits for any more is undone', { skip }, async (t) => {
  const reached = Promise.withResolvers<void>();
  const bench = await makeBench(t, await misbehaving(t, hasUrl(bigLayer.digest, (_, response) => {
    response.writeHead(200, { 'content-length': bigLayer.bytes.length }).write(bigLayer.bytes.subarray(0, 300_000));
    reached.resolve();
    return true;
  })));
  const caller = new AbortController();
  const pull = bench.pull(undefined, caller.signal);
  await reached.promise;

  caller.abort();

  await assert.rejects(pull, fails('cancelled', /^pull image /));
  bench.assertNothingLeft();
});

/** Lets a daemon of its own pull and kills it a moment after `reached`; gives what a new start finds. */
async function killedInPull(t: TestContext, registry: FaultyRegistry, isMidway: (root: string) => boolean): Promise<{ root: string; store: Store; engine: NativeImageEngine }> {
  const { root, engine: idle } = await makeBench(t, registry);
  await idle.close();
  const program = `
    import { createImageEngine } from '${import.meta.dirname}/image-engine.ts';
    import { openStore } from '${import.meta.dirname}/../../part/store/store.ts';
    import { silentLogger as log } from '${import.meta.dirname}/../../base/log.ts';
    import { Stages } from '${import.meta.dirname}/../../base/stages.ts';
    const root = ${JSON.stringify(root)};
    const engine = createImageEngine({ root, store: openStore(root + '/gantry.db'), log, usedBy: () => [], containerFilesystems: async () => [], registryFiles: { hostRules: () => ({ schemes: ['http'] }) } });
    await engine.pull({ image: { image: '${registry.host}/app:v1' } }, { id: 'x', signal: new AbortController().signal, stages: new Stages(), log });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  const exited = once(child, 'exit');
  while (!isMidway(root)) await sleep(20);
  child.kill('SIGKILL');
  await exited;
  assert.ok(readdirSync(join(root, 'staging')).length > 0, 'the kill came in the middle');

  const store = openStore(join(root, 'gantry.db'));
  const engine = createImageEngine({ root, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [], registryFiles: { hostRules: () => ({ schemes: ['http'] }) } });
  t.after(async () => {
    await engine.close();
    store.close();
  });
  await engine.recover();
  return { root, store, engine };
}

test('a daemon killed in the middle of a pull leaves nothing after its next start', { skip, timeout: 60_000 }, async (t) => {
  const registry = await misbehaving(t, hasUrl(bigLayer.digest, (_, response) => {
    response.writeHead(200, { 'content-length': bigLayer.bytes.length }).write(bigLayer.bytes.subarray(0, 300_000));
    return true;
  }));

  const { root, store, engine } = await killedInPull(t, registry, (own) => readdirSync(join(own, 'staging')).length > 0);

  assert.deepEqual(['staging', 'layers', 'content', 'partial'].map((name) => readdirSync(join(root, name))), [[], [], [], []]);
  assert.deepEqual(store.ledger.rows(), []);
  assert.deepEqual(await engine.list(undefined), []);
});

function partialBytes(root: string): number {
  return readdirSync(join(root, 'partial')).reduce((sum, name) => sum + statSync(join(root, 'partial', name)).size, 0);
}

test('of a large layer, a daemon killed in the middle of a pull downloads only the rest', { skip, timeout: 60_000 }, async (t) => {
  const large = makeImage({ layers: [[{ path: 'b', content: Buffer.alloc(12 << 20, incompressible) }]], compression: 'none' });
  const blob = large.blobs[1]!;
  const registry = await misbehaving(t, hasUrl(blob.digest, (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? NaN);
    if (start > 0) response.writeHead(206, { 'content-range': `bytes ${start}-${blob.bytes.length - 1}/${blob.bytes.length}` }).end(blob.bytes.subarray(start));
    else response.writeHead(200, { 'content-length': blob.bytes.length }).write(blob.bytes.subarray(0, 9 << 20));
    return true;
  }), { 'app:v1': large });

  const { root, engine } = await killedInPull(t, registry, (own) => partialBytes(own) >= 8 << 20);
  mkdirSync(join(root, 'containers')); // as the daemon makes it
  const [left] = (await engine.diskUsage()).partialDownloads;
  await engine.pull(
    { image: { image: `${registry.host}/app:v1`, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, auth: undefined, podConfig: undefined },
    { id: 'test', signal: new AbortController().signal, stages: new Stages(), log: silentLogger },
  );

  assert.ok(left!.digest === blob.digest && left!.bytes >= BigInt(8 << 20), String(left?.bytes));
  assert.deepEqual(registry.requests.filter(({ url }) => url.includes(blob.digest)).map(({ range }) => range), [undefined, `bytes=${left!.bytes}-`]);
  assert.deepEqual(readdirSync(join(root, 'partial')), []);
});
