/** The image engine against registries that misbehave, and against its own sudden end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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
import { usualPatience } from '../../part/registry/pace.ts';
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
  const engine = createImageEngine({ root, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [], hostRules, ...options });
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

test('metadata without end is cut off (CVE-2023-25153)', { skip }, async (t) => {
  const bench = await makeBench(t, await misbehaving(t, hasUrl('/manifests/', (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
    };
    response.writeHead(200, { 'content-type': image.top.mediaType }).on('drain', more);
    more();
    return true;
  })));

  await assert.rejects(bench.pull(), fails('failed-precondition', /sent more than the limit of 4194304 bytes/));
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

test('a registry that stalls, drips or never answers is given up', { skip }, async (t) => {
  const patience = { ...usualPatience, firstByteMs: 150, stallMs: 150, windowMs: 100, floorBytes: 1000 };
  const silent = await makeBench(t, await misbehaving(t, hasUrl('/manifests/', () => true)), { patience });
  const stalling = await makeBench(t, await misbehaving(t, hasUrl('/manifests/', (_, response) => {
    response.writeHead(200, { 'content-type': image.top.mediaType }).write('{');
    return true;
  })), { patience });
  const dripping = await makeBench(t, await misbehaving(t, hasUrl('/manifests/', (_, response) => {
    response.writeHead(200, { 'content-type': image.top.mediaType });
    const drip = setInterval(() => response.write(' '), 20);
    response.once('close', () => clearInterval(drip));
    return true;
  })), { patience });

  await assert.rejects(silent.pull(), fails('unavailable', /no answer within 0.15 s/));
  await assert.rejects(stalling.pull(), fails('unavailable', /it sent nothing for 0.15 s/));
  await assert.rejects(dripping.pull(), fails('unavailable', /it sent only \d+ bytes in 0 s/));
});

test('a failing registry is unavailable, one that limits says so, and its words are quoted and short', { skip }, async (t) => {
  const answering = async (status: number, body: string): Promise<Bench> => await makeBench(t, await misbehaving(t, hasUrl('/manifests/', (_, response) => {
    response.writeHead(status).end(body);
    return true;
  })));

  await assert.rejects((await answering(503, `down\n${'x'.repeat(5000)}`)).pull(), (error: Error & { criReason?: string }) =>
    fails('unavailable', /answers 503; it says "down\\nx+"$/)(error) && error.message.length < 600 && error.criReason === 'RegistryUnavailable');
  await assert.rejects((await answering(429, '')).pull(), fails('resource-exhausted', /limits how often it may be asked \(429\): wait, or pull with an account$/));
  await assert.rejects((await answering(403, '{"errors":[{"code":"DENIED","message":"no"}]}')).pull(), fails('failed-precondition', /refuses access \(403\).*it says "DENIED: no"$/));
});

test('redirects are followed without the credentials, and not for ever', { skip }, async (t) => {
  const elsewhere = await misbehaving(t, () => false);
  const registry = await misbehaving(t, (request, response) => {
    if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else if (request.url.includes('/blobs/')) response.writeHead(307, { location: `${elsewhere.url}${request.url}` }).end();
    else return false;
    return true;
  });
  const looping = await misbehaving(t, (request, response) => {
    response.writeHead(302, { location: request.url }).end();
    return true;
  });
  const odd = await misbehaving(t, (_, response) => {
    response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    return true;
  });

  await (await makeBench(t, registry)).pull(login);

  assert.equal(elsewhere.requests.length, 3);
  assert.deepEqual(elsewhere.requests.filter(({ authorization }) => authorization !== undefined), []);
  await assert.rejects((await makeBench(t, looping)).pull(), fails('unavailable', /there are more than 5/));
  await assert.rejects((await makeBench(t, odd)).pull(), fails('failed-precondition', /leads to "file:\/\/\/etc\/passwd", which is not a web address/));
});

test('the urls of a foreign layer are never fetched (CVE-2020-15157)', { skip }, async (t) => {
  const elsewhere = await misbehaving(t, () => false);
  const [config = image.top, ...layers] = image.blobs;
  const foreign = layers.map((layer) => ({ ...descriptorOf(layer), urls: [`${elsewhere.url}/v2/app/blobs/${layer.digest}`] }));
  const top = jsonBlob(image.top.mediaType, { schemaVersion: 2, config: descriptorOf(config), layers: foreign });

  await (await makeBench(t, await misbehaving(t, () => false, { 'app:v1': { ...image, top } }))).pull(login);

  assert.deepEqual(elsewhere.requests, []);
});

test('a token is fetched once with the credentials, and again when it expired', { skip }, async (t) => {
  let valid = 'token1';
  const tokenService = await misbehaving(t, (_, response) => {
    response.writeHead(200).end(JSON.stringify({ token: valid }));
    return true;
  });
  const registry = await misbehaving(t, (request, response) => {
    if (request.url.includes(bigLayer.digest) && valid === 'token1') valid = 'token2';
    if (request.headers.authorization === `Bearer ${valid}`) return false;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${tokenService.url}/token?x=1",service="registry"` }).end();
    return true;
  });

  await (await makeBench(t, registry)).pull(login);

  const asked = tokenService.requests.map(({ url, authorization }) => [url, authorization]);
  const basic = `Basic ${Buffer.from('user:secret').toString('base64')}`;
  assert.deepEqual(asked, [['/token?x=1&service=registry&scope=repository%3Aapp%3Apull', basic], ['/token?x=1&service=registry&scope=repository%3Aapp%3Apull', basic]]);
  assert.ok(registry.requests.every(({ authorization }) => authorization === undefined || authorization.startsWith('Bearer ')), 'the password goes to the token service only');
});

test('identity tokens are exchanged, registry tokens sent as they are', { skip }, async (t) => {
  let body = '';
  const tokenService = await misbehaving(t, async (request, response) => {
    for await (const chunk of request) body += chunk;
    response.writeHead(request.method === 'POST' ? 200 : 405).end(JSON.stringify({ access_token: 'granted' }));
    return true;
  });
  const registry = await misbehaving(t, (request, response) => {
    if (['Bearer granted', 'Bearer direct'].includes(request.headers.authorization ?? '')) return false;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${tokenService.url}/token",service="registry",scope="repository:app:pull"` }).end();
    return true;
  });

  await (await makeBench(t, registry)).pull({ ...noAuth, identityToken: 'refresh me' });
  await (await makeBench(t, registry)).pull({ ...noAuth, registryToken: 'direct' });

  assert.equal(body, 'service=registry&scope=repository%3Aapp%3Apull&grant_type=refresh_token&client_id=gantry&refresh_token=refresh+me');
  assert.equal(tokenService.requests.length, 1);
});

test('credentials that the token service refuses end the pull in plain words', { skip }, async (t) => {
  const tokenService = await misbehaving(t, (_, response) => {
    response.writeHead(401).end('{"details":"incorrect username or password"}');
    return true;
  });
  const challenge = (realm: string): Promise<FaultyRegistry> => misbehaving(t, (_, response) => {
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    return true;
  });

  await assert.rejects((await makeBench(t, await challenge(`${tokenService.url}/token`))).pull(login), fails('failed-precondition', /get registry token from .* refuses access \(401\), the given credentials were sent/));
  await assert.rejects((await makeBench(t, await challenge('gopher://x'))).pull(login), fails('failed-precondition', /names the token service "gopher:\/\/x", which is not a web address/));
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
  for (let i = 0; i < 100 && bench.store.ledger.rows().length > 0; i++) await sleep(20);
  bench.assertNothingLeft();
});

test('a daemon killed in the middle of a pull leaves nothing after its next start', { skip, timeout: 60_000 }, async (t) => {
  const reached = Promise.withResolvers<void>();
  const registry = await misbehaving(t, hasUrl(bigLayer.digest, (_, response) => {
    response.writeHead(200, { 'content-length': bigLayer.bytes.length }).write(bigLayer.bytes.subarray(0, 300_000));
    reached.resolve();
    return true;
  }));
  const bench = await makeBench(t, registry);
  await bench.engine.close();
  bench.store.close();
  const program = `
    import { createImageEngine } from '${import.meta.dirname}/image-engine.ts';
    import { openStore } from '${import.meta.dirname}/../../part/store/store.ts';
    import { silentLogger as log } from '${import.meta.dirname}/../../base/log.ts';
    import { Stages } from '${import.meta.dirname}/../../base/stages.ts';
    const root = ${JSON.stringify(bench.root)};
    const engine = createImageEngine({ root, store: openStore(root + '/gantry.db'), log, usedBy: () => [], containerFilesystems: async () => [], hostRules: () => ({ schemes: ['http'] }) });
    await engine.pull({ image: { image: '${registry.host}/app:v1' } }, { id: 'x', signal: new AbortController().signal, stages: new Stages(), log });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  const exited = once(child, 'exit');
  await reached.promise;
  await sleep(300);
  child.kill('SIGKILL');
  await exited;
  assert.ok(readdirSync(join(bench.root, 'staging')).length > 0, 'the kill came in the middle');

  const store = openStore(join(bench.root, 'gantry.db'));
  t.after(() => store.close());
  const again = createImageEngine({ root: bench.root, store, log: silentLogger, usedBy: () => [], containerFilesystems: async () => [] });
  await again.recover();

  assert.deepEqual(['staging', 'layers', 'content'].map((name) => readdirSync(join(bench.root, name))), [[], [], []]);
  assert.deepEqual(store.ledger.rows(), []);
  assert.deepEqual(await again.list(undefined), []);
});
