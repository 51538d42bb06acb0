/** Several hosts for one image, some of them of no use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeImage } from '../../../test/support/image.ts';
import { startFaultyRegistry } from '../../../test/support/registry.ts';
import type { Fault, FaultyRegistry } from '../../../test/support/registry.ts';
import { failure } from '../../base/errors.ts';
import { downloadBlob } from './download-blob.ts';
import { HostHealth } from './host-health.ts';
import { parseManifest } from './manifest.ts';
import type { Descriptor } from './manifest.ts';
import { usualPatience } from './pace.ts';
import { parseReference } from './reference.ts';
import { RegistrySources } from './registry-sources.ts';

const image = makeImage({ layers: [[{ path: 'a', content: Buffer.alloc(300_000, 'x') }]], compression: 'none' });
const never = new AbortController().signal;
const layer = (): Descriptor => {
  const manifest = parseManifest(image.top.bytes, image.top.mediaType, 'app');
  return manifest.kind === 'manifest' ? manifest.layers[0]! : assert.fail('want a manifest');
};

async function host(t: TestContext, fault?: Fault): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry({ 'app:v1': image }, fault);
  t.after(() => registry.stop());
  return registry;
}

const answering = (status: number): Fault => (request, response) => {
  response.writeHead(status).end();
  return request.url !== '';
};

const health = new HostHealth();

function sourcesOf(t: TestContext, hosts: readonly { readonly host: string }[], change: { health?: HostHealth; serves?: readonly { tags: boolean; digests: boolean }[] } = {}): RegistrySources {
  const rule = { schemes: ['http'] as const };
  const sources = new RegistrySources({
    plan: {
      reference: parseReference('r.io/app:v1'),
      sources: hosts.map(({ host: address }, index) => ({
        endpoint: { host: address, address, repository: 'app', rule }, credentials: { kind: 'anonymous' }, credentialsFrom: '', because: index === hosts.length - 1 ? 'the registry itself' : 'mirror',
        serves: change.serves?.[index] ?? { tags: true, digests: true },
      })),
    },
    health: change.health ?? health, ruleFor: () => rule, patience: usualPatience,
  });
  t.after(() => sources.close());
  return sources;
}

async function lengthOf(sources: RegistrySources): Promise<number> {
  let length = 0;
  for await (const chunk of downloadBlob(sources, layer(), never)) length += chunk.length;
  return length;
}

const nobody = { host: '127.0.0.1:9' };

test('a mirror that is down, does not have it, refuses or fails is passed over', async (t) => {
  const good = await host(t);

  for (const bad of [nobody, await host(t, answering(404)), await host(t, answering(401)), await host(t, answering(429)), await host(t, answering(500))]) {
    const sources = sourcesOf(t, [bad, good], { health: new HostHealth() });
    assert.equal((await sources.getManifest('v1', never)).digest, image.top.digest);
    assert.equal(await lengthOf(sources), layer().size);
  }
});

test('a mirror that is down is asked once, and by the next pull only when the others fail', async (t) => {
  const down = await host(t, answering(503));
  const good = await host(t);
  const shared = new HostHealth();

  await sourcesOf(t, [down, good], { health: shared }).getManifest('v1', never);
  await sourcesOf(t, [down, good], { health: shared }).getManifest('v1', never);

  assert.equal(down.requests.length, 1);
  assert.equal(good.requests.length, 2);
});

test('what broke off is carried on by the next host', async (t) => {
  const breaking = await host(t, (request, response) => {
    if (!request.url.includes('/blobs/')) return false;
    response.writeHead(200, { 'content-length': layer().size });
    response.write(Buffer.alloc(100_000, 'x'), () => response.destroy());
    return true;
  });
  const good = await host(t);

  assert.equal(await lengthOf(sourcesOf(t, [breaking, good], { health: new HostHealth() })), layer().size);
  assert.match(good.requests[0]?.range ?? '', /^bytes=\d+-$/);
});

test('a host that sends something else is not asked for it again in this pull', async (t) => {
  const [lying, good] = [await host(t), await host(t)];
  const sources = sourcesOf(t, [lying, good]);
  const checked = (isBad: (attempt: number) => boolean): Promise<void> => {
    let attempt = 0;
    return sources.verified(layer().digest, never, async () => {
      await lengthOf(sources);
      if (isBad(++attempt)) throw failure('unavailable', { act: 'verify blob', why: 'it is another' });
    });
  };

  await checked((attempt) => attempt === 1);
  assert.deepEqual([lying.requests.length, good.requests.length], [1, 1]);
  await assert.rejects(checked(() => true), /verify blob: it is another/);
});

test('a fault of our own says nothing about the host', async (t) => {
  const [first, second] = [await host(t), await host(t)];
  const sources = sourcesOf(t, [first, second]);

  await assert.rejects(sources.verified(layer().digest, never, async () => {
    await lengthOf(sources);
    throw failure('resource-exhausted', { act: 'write layer', why: 'the disk is full' });
  }), /the disk is full/);

  assert.equal(second.requests.length, 0);
});

test('when nobody has it, each says why, and an unreachable host makes the whole unavailable', async (t) => {
  const [first, last] = [await host(t, answering(404)), await host(t, answering(404))];

  await assert.rejects(sourcesOf(t, [first, last]).getManifest('v1', never), (error: Error & { kind?: string }) => {
    assert.equal(error.kind, 'not-found');
    assert.match(error.message, new RegExp(`^get manifest v1: none of 2 hosts has it: ${first.host} \\(mirror\\): ${first.host} does not have it; ${last.host} \\(the registry itself\\): `));
    return true;
  });
  await assert.rejects(sourcesOf(t, [nobody, last], { health: new HostHealth() }).getManifest('v1', never), (error: Error & { kind?: string; criReason?: string }) => {
    assert.deepEqual([error.kind, error.criReason], ['unavailable', 'RegistryUnavailable']);
    return /127.0.0.1:9 \(mirror\): .*ECONNREFUSED/.test(error.message);
  });
});

test('a registry that stumbles is asked again for the manifest', async (t) => {
  let requests = 0;
  const stumbling = await host(t, (_, response) => {
    if (++requests > 1) return false;
    response.writeHead(502).end();
    return true;
  });

  assert.equal((await sourcesOf(t, [stumbling]).getManifest('v1', never)).digest, image.top.digest);
});

test('a host is asked only for what it may be asked for', async (t) => {
  const [pulls, resolves] = [await host(t), await host(t)];
  const sources = sourcesOf(t, [pulls, resolves], { serves: [{ tags: false, digests: true }, { tags: true, digests: false }] });

  await sources.getManifest('v1', never);
  await sources.getManifest(image.top.digest, never);
  await lengthOf(sources);

  assert.deepEqual(resolves.requests.map(({ url }) => url), ['/v2/app/manifests/v1']);
  assert.equal(pulls.requests.length, 2);
  await assert.rejects(sourcesOf(t, [resolves], { serves: [{ tags: true, digests: false }] }).openBlob(layer(), 0, never), /none of the hosts for r.io may be asked for it/);
});
