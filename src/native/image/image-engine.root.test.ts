/** The image engine against a real registry (Debian's docker-registry). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { busyboxImage, makeImage, makeIndex, pushImage } from '../../../test/support/image.ts';
import type { ImageRecipe } from '../../../test/support/image.ts';
import { startRegistry } from '../../../test/support/registry.ts';
import type { Registry } from '../../../test/support/registry.ts';
import { silentLogger } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { AuthConfig, ImageSpec } from '../../gen/cri.ts';
import { openStore } from '../../part/store/store.ts';
import { createImageEngine } from './image-engine.ts';
import type { ImageEngineOptions, NativeImageEngine } from './image-engine.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const noAuth: AuthConfig = { username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '' };

interface Bench {
  readonly root: string;
  readonly engine: NativeImageEngine;
  pull(image: string, auth?: AuthConfig): Promise<string>;
}

async function makeEngine(t: TestContext, options: Partial<ImageEngineOptions> = {}): Promise<Bench> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-images-'));
  const store = openStore(join(root, 'gantry.db'));
  const engine = createImageEngine({ root, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [], ...options });
  t.after(async () => {
    await engine.close();
    store.close();
    rmSync(root, { recursive: true, force: true });
  });
  await engine.recover();
  return { root, engine, pull: async (image, auth) => await engine.pull({ image: spec(image), auth, podConfig: undefined }, context()) };
}

function spec(image: string): ImageSpec {
  return { image, annotations: { team: 'a' }, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
}

function context(signal = new AbortController().signal): CallContext {
  return { id: 'test', signal, stages: new Stages(), log: silentLogger };
}

async function withRegistry(t: TestContext, options?: Parameters<typeof startRegistry>[0]): Promise<Registry> {
  const registry = await startRegistry(options);
  t.after(() => registry.stop());
  return registry;
}

const small: ImageRecipe = {
  layers: [[{ path: 'etc', type: 'directory' }, { path: 'etc/motd', content: 'hello' }], [{ path: 'etc/motd', content: 'changed' }, { path: 'etc/more', content: 'x' }]],
  config: { Cmd: ['/bin/app'], User: '1000:1000' },
};

test('an image pulled by tag is known by tag, digest and id', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const image = makeImage(small);
  const reference = await pushImage(registry, 'team/app:v1', image);
  const { engine, pull, root } = await makeEngine(t);

  const id = await pull(reference);

  const [listed] = await engine.list(undefined);
  const repoDigest = `${registry.host}/team/app@${image.top.digest}`;
  assert.equal(id, image.id);
  assert.equal(listed?.id, id);
  assert.deepEqual(listed?.repoTags, [reference]);
  assert.deepEqual(listed?.repoDigests, [repoDigest]);
  assert.deepEqual([listed?.uid?.value, listed?.username, listed?.pinned], [1000n, '', false]);
  assert.deepEqual(listed?.spec?.annotations, { team: 'a' });
  for (const name of [id, id.slice(7, 20), reference, repoDigest]) assert.equal((await engine.status(spec(name), false))?.image.id, id, name);

  const resolved = engine.resolve(reference);
  assert.deepEqual(resolved.config.Cmd, ['/bin/app']);
  assert.deepEqual(resolved.layers.map((layer) => readFileSync(join(layer, 'etc/motd'), 'utf8')), ['changed', 'hello']);
  assert.ok(resolved.layers.every((layer) => layer.startsWith(`${root}/layers/`) && layer.length < root.length + 14), 'short names');
  assert.match((await engine.status(spec(id), true))?.info['info'] ?? '', /"Cmd":\["\/bin\/app"\]/);
  assert.deepEqual(readdirSync(join(root, 'staging')), []);
});

for (const format of ['docker', 'oci'] as const) {
  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    test(`a ${format} image with layers compressed by ${compression} is pulled`, { skip }, async (t) => {
      const registry = await withRegistry(t);
      const { engine, pull } = await makeEngine(t);
      const image = makeImage({ ...small, format, compression });

      await pull(await pushImage(registry, 'app:v1', image));

      assert.equal(readFileSync(join(engine.resolve(image.id).layers[0] ?? '', 'etc/motd'), 'utf8'), 'changed');
    });
  }
}

test('of an index the manifest for the platform is taken, and the index digest recorded', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const on = (architecture: string) => ({ image: makeImage({ layers: [[{ path: 'arch', content: architecture }]], platform: { os: 'linux', architecture } }), platform: { os: 'linux', architecture } });
  const index = makeIndex([on('s390x'), on('arm64'), on('amd64')]);
  const reference = await pushImage(registry, 'app:multi', index);
  const { engine, pull } = await makeEngine(t, { platform: { os: 'linux', architecture: 'arm64' } });
  const other = await makeEngine(t, { platform: { os: 'linux', architecture: 'riscv64' } });

  const id = await pull(reference);

  assert.equal(readFileSync(join(engine.resolve(id).layers[0] ?? '', 'arch'), 'utf8'), 'arm64');
  assert.deepEqual((await engine.list(undefined))[0]?.repoDigests, [`${registry.host}/app@${index.top.digest}`]);
  assert.equal(await pull(`${registry.host}/app@${index.top.digest}`), id);
  await assert.rejects(other.pull(reference), /there is none for linux\/riscv64; it has linux\/s390x, linux\/arm64, linux\/amd64/);
});

test('an image for another processor is not taken', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const { pull } = await makeEngine(t, { platform: { os: 'linux', architecture: 'amd64' } });
  const reference = await pushImage(registry, 'app:arm', makeImage({ ...small, platform: { os: 'linux', architecture: 'arm64' } }));

  await assert.rejects(pull(reference), /the image is for linux\/arm64, this node is linux\/amd64/);
});

test('one image through two registries and two manifests is one image', { skip }, async (t) => {
  const [here, there] = [await withRegistry(t), await withRegistry(t)];
  const image = makeImage(small);
  const { engine, pull } = await makeEngine(t);

  const first = await pull(await pushImage(here, 'app:v1', image));
  const second = await pull(await pushImage(there, 'copy:v2', image));

  assert.equal(first, second);
  const images = await engine.list(undefined);
  assert.equal(images.length, 1);
  assert.deepEqual(images[0]?.repoTags, [`${here.host}/app:v1`, `${there.host}/copy:v2`]);
  assert.equal(images[0]?.repoDigests.length, 2);
  await engine.remove(spec(`${here.host}/app:v1`), context());
  assert.deepEqual(await engine.list(undefined), []);
});

test('a tag that moved leaves the old image without it', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const { engine, pull } = await makeEngine(t);
  const old = await pull(await pushImage(registry, 'app:v1', makeImage(small)));
  const replacement = makeImage({ ...small, config: { Cmd: ['new'] } });

  const now = await pull(await pushImage(registry, 'app:v1', replacement));

  assert.notEqual(now, old);
  assert.deepEqual((await engine.status(spec(old), false))?.image.repoTags, []);
  assert.equal((await engine.status(spec(`${registry.host}/app:v1`), false))?.image.id, now);
});

test('HTTPS is verified against the system and the given authority', { skip }, async (t) => {
  const registry = await withRegistry(t, { tls: true });
  const { caFile } = registry;
  assert.ok(caFile !== undefined);
  const trusting = await makeEngine(t, { registryFiles: { hostRules: () => ({ schemes: ['https'], caFiles: [caFile] }) } });
  const strict = await makeEngine(t, { registryFiles: { hostRules: () => ({ schemes: ['https'] }) } });
  const careless = await makeEngine(t, { registryFiles: { hostRules: () => ({ schemes: ['https'], skipVerify: true }) } });
  const reference = await pushImage(registry, 'app:v1', makeImage(small));

  await trusting.pull(reference);
  await careless.pull(reference);
  await assert.rejects(strict.pull(reference), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && /certificate is not trusted: .*; install its authority, or list the registry as insecure/.test(error.message));
});

test('a registry that wants to know its clients is shown the certificate of its certs.d folder', { skip }, async (t) => {
  const registry = await withRegistry(t, { tls: 'mutual' });
  const certsDir = mkdtempSync(join(tmpdir(), 'gantry-certs-'));
  t.after(() => rmSync(certsDir, { recursive: true }));
  const folder = join(certsDir, registry.host);
  mkdirSync(folder);
  copyFileSync(registry.caFile!, join(folder, 'ca.crt'));
  const { pull } = await makeEngine(t, { registryFiles: { hostsDirs: [certsDir] } });
  const reference = await pushImage(registry, 'app:v1', makeImage(small));

  await assert.rejects(pull(reference), /contact registry 127.0.0.1:\d+: it wants a certificate of its clients; put one, as NAME.cert with NAME.key, into its folder of certs.d/);
  copyFileSync(registry.clientCertificate!.certFile, join(folder, 'node.cert'));
  copyFileSync(registry.clientCertificate!.keyFile, join(folder, 'node.key'));
  await pull(reference);
});

test('a registry that speaks plain HTTP is not talked to unless it may', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const strict = await makeEngine(t, { registryFiles: { hostRules: () => ({ schemes: ['https'] }) } });
  const reference = await pushImage(registry, 'app:v1', makeImage(small));

  await assert.rejects(strict.pull(reference), /does not speak HTTPS; if it is meant to speak plain HTTP, list it as insecure/);
});

test('basic authentication: as username and password or as auth, refused without and for other servers', { skip }, async (t) => {
  const registry = await withRegistry(t, { auth: true });
  const { pull } = await makeEngine(t);
  const reference = await pushImage(registry, 'app:v1', makeImage(small));
  const { username, password } = registry.login ?? noAuth;
  const given = { ...noAuth, username, password };

  await pull(reference, given);
  await pull(reference, { ...noAuth, auth: Buffer.from(`${username}:${password}`).toString('base64'), serverAddress: `https://${registry.host}/v2/` });
  await assert.rejects(pull(reference), /refuses access \(401\), no credentials for it were given/);
  await assert.rejects(pull(reference, { ...given, serverAddress: 'elsewhere.io' }), /no credentials for it were given/);
  await assert.rejects(pull(reference, { ...given, password: 'wrong' }), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && /refuses access \(401\), with the given credentials/.test(error.message) && !error.message.includes('wrong'));
});

test('what is not at the registry is not found, and a registry that is down is unavailable', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const { pull } = await makeEngine(t);
  await pushImage(registry, 'app:v1', makeImage(small));

  await assert.rejects(pull(`${registry.host}/app:v2`), (error: Error & { kind?: string }) => error.kind === 'not-found' && /^pull image .*\/app:v2: get manifest app:v2: .* does not have it; it says "MANIFEST_UNKNOWN: manifest unknown"$/.test(error.message));
  await assert.rejects(pull(`${registry.host}/nothing:v2`), { kind: 'not-found' });
  await registry.stop();
  await assert.rejects(pull(`${registry.host}/app:v1`), (error: Error & { kind?: string; criReason?: string }) => error.kind === 'unavailable' && error.criReason === 'RegistryUnavailable' && /ECONNREFUSED/.test(error.message));
});

test('registries.conf is read at every pull', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const directory = mkdtempSync(join(tmpdir(), 'gantry-conf-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const registriesConf = join(directory, 'registries.conf');
  const { engine, pull } = await makeEngine(t, { registryFiles: { registriesConf } });
  await pushImage(registry, 'mirror/library/busybox:1', busyboxImage());
  execFileSync('sh', ['-c', `printf '[[registry]]\\nprefix = "docker.io"\\nlocation = "${registry.host}/mirror"\\ninsecure = true\\n' > ${registriesConf}`]);

  await pull('busybox:1');

  assert.deepEqual((await engine.list(undefined))[0]?.repoTags, ['docker.io/library/busybox:1']);
  execFileSync('sh', ['-c', `printf '[[registry]]\\nlocation = "docker.io"\\nblocked = true\\n' > ${registriesConf}`]);
  await assert.rejects(pull('busybox:1'), /registry docker.io is blocked in /);
});

test('removal frees what no other image shares, and waits for no one', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const { engine, pull, root } = await makeEngine(t);
  const base = small.layers[0] ?? [];
  const first = await pull(await pushImage(registry, 'one:v1', makeImage({ layers: [base, [{ path: 'one' }]] })));
  const second = await pull(await pushImage(registry, 'two:v1', makeImage({ layers: [base, [{ path: 'two' }]] })));
  const layers = (): number => readdirSync(join(root, 'layers')).length;
  assert.equal(layers(), 3);

  await engine.remove(spec(first), context());
  assert.equal(layers(), 2);
  assert.equal(engine.resolve(second).layers.length, 2);
  await engine.remove(spec(first), context());
  await engine.remove(spec('never/pulled:v1'), context());
  await engine.remove(spec(second), context());

  assert.deepEqual([layers(), readdirSync(join(root, 'content')).length], [0, 0]);
  const { images } = await engine.fsInfo();
  assert.deepEqual([images[0]?.usedBytes?.value, images[0]?.inodesUsed?.value], [0n, 0n]);
});

test('an image in use, or just being used, is not removed', { skip }, async (t) => {
  const registry = await withRegistry(t);
  let users: string[] = ['c1'];
  const { engine, pull } = await makeEngine(t, { usedBy: () => users });
  const id = await pull(await pushImage(registry, 'app:v1', makeImage(small)));

  await assert.rejects(engine.remove(spec(id), context()), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && /in use by container c1; remove the container first/.test(error.message));
  users = [];
  engine.hold(id, 'c2');
  await assert.rejects(engine.remove(spec(id), context()), /in use by container c2/);
  engine.release('c2');
  await engine.remove(spec(id), context());

  assert.throws(() => engine.resolve(id), /find image .*: it is not on this node: pull it first/);
});

test('fsInfo is what the disk says', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const { engine, pull, root } = await makeEngine(t);
  await pull(await pushImage(registry, 'busybox:1', busyboxImage()));

  const { images: [usage] } = await engine.fsInfo();

  const du = (...flags: string[]): number => Number(execFileSync('du', ['-s', ...flags, join(root, 'layers'), join(root, 'outlines'), join(root, 'content')], { encoding: 'utf8' }).split('\n').reduce((sum, line) => sum + Number(line.split('\t')[0]), 0));
  assert.equal(usage?.fsId?.mountpoint, join(root, 'layers'));
  assert.equal(Number(usage?.inodesUsed?.value), du('--inodes') - 3); // the three directories themselves
  if (statSync(root).blksize === 4096 && execFileSync('stat', ['-fc', '%T', root], { encoding: 'utf8' }).startsWith('ext')) {
    assert.equal(Number(usage?.usedBytes?.value), du('--block-size=1') - 3 * 4096);
  }
});

test('a layer that an image has twice is one lower directory, where it lies topmost', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const { engine, pull } = await makeEngine(t);
  const again = [{ path: 'same', content: 'x' }];

  const id = await pull(await pushImage(registry, 'app:v1', makeImage({ layers: [again, [{ path: 'between' }], again] })));

  const layers = engine.resolve(id).layers;
  assert.equal(layers.length, 2);
  assert.deepEqual(readdirSync(layers[0] ?? ''), ['same']);
});

test('images are there after a restart, without a pull', { skip }, async (t) => {
  const registry = await withRegistry(t);
  const { engine, pull, root } = await makeEngine(t);
  const id = await pull(await pushImage(registry, 'app:v1', makeImage(small)));
  await engine.close();
  await registry.stop();

  const store = openStore(join(root, 'gantry.db'));
  t.after(() => store.close());
  let users: string[] = [];
  const again = createImageEngine({ root, store, log: silentLogger, usedBy: () => users, containerFilesystems: async () => [] });
  await again.recover();

  assert.equal(again.resolve(id).layers.length, 2);
  rmSync(again.resolve(id).layers[1] ?? '', { recursive: true });
  users = ['c1'];
  await again.recover();
  assert.equal(readdirSync(join(root, 'layers')).length, 1, 'the root of a container is not taken away');
  users = [];
  await again.recover();
  assert.deepEqual(await again.list(undefined), [], 'an image that lost a layer is forgotten, not half there');
  assert.deepEqual(readdirSync(join(root, 'layers')), []);
});
