/** One conversation with a registry that misbehaves, or that wants to be convinced. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeImage } from '../../../test/support/image.ts';
import { startFaultyRegistry } from '../../../test/support/registry.ts';
import type { Fault, FaultyRegistry } from '../../../test/support/registry.ts';
import type { AuthConfig } from '../../gen/cri.ts';
import { credentialsFor } from './credentials.ts';
import { downloadBlob } from './download-blob.ts';
import { parseManifest } from './manifest.ts';
import { usualPatience } from './pace.ts';
import type { Patience } from './pace.ts';
import { RegistrySession } from './registry-session.ts';

const noAuth: AuthConfig = { username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '' };
const login = { ...noAuth, username: 'user', password: 'secret' };
const image = makeImage({ layers: [[{ path: 'a', content: 'x' }], [{ path: 'b', content: 'y' }]] });
const [, , lastLayer = image.top] = image.blobs;
const never = new AbortController().signal;

async function misbehaving(t: TestContext, fault: Fault): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry({ 'app:v1': image }, fault);
  t.after(() => registry.stop());
  return registry;
}

/** Gets the manifest and all blobs, as a pull does. */
async function pull(t: TestContext, registry: FaultyRegistry, how: { auth?: AuthConfig; patience?: Patience; waitsWhenLimited?: boolean } = {}): Promise<void> {
  const { host } = registry;
  const rule = { schemes: ['http'] as const };
  const session = new RegistrySession({
    endpoint: { host, address: host, repository: 'app', rule }, credentials: credentialsFor(host, how.auth), hostRules: () => rule, patience: how.patience ?? usualPatience,
    ...(how.waitsWhenLimited === undefined ? {} : { waitsWhenLimited: how.waitsWhenLimited }),
  });
  t.after(() => session.close());
  const received = await session.getManifest('v1', never);
  const manifest = parseManifest(received.bytes, received.contentType, 'app:v1');
  if (manifest.kind !== 'manifest') return assert.fail('want a manifest');
  for (const blob of [manifest.config, ...manifest.layers]) {
    let length = 0;
    for await (const chunk of downloadBlob(session, blob, never)) length += chunk.length;
    assert.equal(length, blob.size);
  }
}

function fails(kind: string, why: RegExp): (error: Error & { kind?: string }) => boolean {
  return (error) => {
    assert.match(error.message, why);
    assert.equal(error.kind, kind, error.message);
    return true;
  };
}

const hasUrl = (part: string, answer: Fault): Fault => (request, response) => (request.url.includes(part) ? answer(request, response) : false);

test('metadata without end is cut off (CVE-2023-25153)', async (t) => {
  const registry = await misbehaving(t, hasUrl('/manifests/', (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
    };
    response.writeHead(200, { 'content-type': image.top.mediaType }).on('drain', more);
    more();
    return true;
  }));

  await assert.rejects(pull(t, registry), fails('failed-precondition', /sent more than the limit of 4194304 bytes/));
});

test('a registry that stalls, drips or never answers is given up', async (t) => {
  const patience = { ...usualPatience, firstByteMs: 150, stallMs: 150, windowMs: 100, floorBytes: 1000 };
  const silent = await misbehaving(t, hasUrl('/manifests/', () => true));
  const stalling = await misbehaving(t, hasUrl('/manifests/', (_, response) => {
    response.writeHead(200, { 'content-type': image.top.mediaType }).write('{');
    return true;
  }));
  const dripping = await misbehaving(t, hasUrl('/manifests/', (_, response) => {
    response.writeHead(200, { 'content-type': image.top.mediaType });
    const drip = setInterval(() => response.write(' '), 20);
    response.once('close', () => clearInterval(drip));
    return true;
  }));

  await assert.rejects(pull(t, silent, { patience }), fails('unavailable', /no answer within 0.15 s/));
  await assert.rejects(pull(t, stalling, { patience }), fails('unavailable', /it sent nothing for 0.15 s/));
  await assert.rejects(pull(t, dripping, { patience }), fails('unavailable', /it sent only \d+ bytes in 0 s/));
});

test('a failing registry is unavailable, one that limits says so, and its words are quoted and short', async (t) => {
  const answering = async (status: number, body: string): Promise<FaultyRegistry> => await misbehaving(t, hasUrl('/manifests/', (_, response) => {
    response.writeHead(status).end(body);
    return true;
  }));

  await assert.rejects(pull(t, await answering(503, `down\n${'x'.repeat(5000)}`)), (error: Error & { criReason?: string }) =>
    fails('unavailable', /answers 503; it says "down\\nx+"$/)(error) && error.message.length < 600 && error.criReason === 'RegistryUnavailable');
  await assert.rejects(pull(t, await answering(429, ''), { waitsWhenLimited: false }), fails('resource-exhausted', /limits how often it may be asked \(429\): wait, or pull with an account$/));
  await assert.rejects(pull(t, await answering(403, '{"errors":[{"code":"DENIED","message":"no"}]}')), fails('failed-precondition', /refuses access \(403\).*it says "DENIED: no"$/));
});

test('a registry that limits its callers is asked again after the pause that it asks for, unless that is too long', async (t) => {
  let limited = 0;
  const busy = (retryAfter: string, times: number) => misbehaving(t, hasUrl('/manifests/', (_, response) => {
    if (++limited > times) return false;
    response.writeHead(429, { 'retry-after': retryAfter }).end();
    return true;
  }));

  await pull(t, await busy('0', 3));
  assert.equal(limited, 4);
  limited = 0;
  await pull(t, await busy(new Date().toUTCString(), 2));
  assert.equal(limited, 3);
  limited = 0;
  await assert.rejects(pull(t, await busy('3600', 9)), fails('resource-exhausted', /limits how often it may be asked/));
  assert.equal(limited, 1);
});

test('a host that is redirected to cannot ask for the credentials, nor name a token service that shall get them', async (t) => {
  for (const challenge of ['Bearer realm="REALM/token"', 'Basic realm="x"']) {
    const foreign = await misbehaving(t, (request, response) => {
      if (request.url.startsWith('/token')) response.end('{"token":"t"}');
      else response.writeHead(401, { 'www-authenticate': challenge.replace('REALM', `http://${foreign.host}`) }).end();
      return true;
    });
    const registry = await misbehaving(t, hasUrl('/blobs/', (request, response) => {
      response.writeHead(307, { location: `http://${foreign.host}${request.url}` }).end();
      return true;
    }));

    await assert.rejects(pull(t, registry, { auth: login }), /get blob/);

    assert.deepEqual(foreign.requests.map(({ url, authorization }) => [url.startsWith('/token'), authorization]), [[false, undefined]], challenge);
  }
});

test('redirects are followed without the credentials, and not for ever', async (t) => {
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

  await pull(t, registry, { auth: login });

  assert.equal(elsewhere.requests.length, 3);
  assert.deepEqual(elsewhere.requests.filter(({ authorization }) => authorization !== undefined), []);
  await assert.rejects(pull(t, looping), fails('unavailable', /there are more than 5/));
  await assert.rejects(pull(t, odd), fails('failed-precondition', /leads to "file:\/\/\/etc\/passwd", which is not a web address/));
});

test('a token is fetched once with the credentials, and again when it expired', async (t) => {
  let valid = 'token1';
  const tokenService = await misbehaving(t, (_, response) => {
    response.writeHead(200).end(JSON.stringify({ token: valid }));
    return true;
  });
  const registry = await misbehaving(t, (request, response) => {
    if (request.url.includes(lastLayer.digest) && valid === 'token1') valid = 'token2';
    if (request.headers.authorization === `Bearer ${valid}`) return false;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${tokenService.url}/token?x=1",service="registry"` }).end();
    return true;
  });

  await pull(t, registry, { auth: login });

  const asked = tokenService.requests.map(({ url, authorization }) => [url, authorization]);
  const basic = `Basic ${Buffer.from('user:secret').toString('base64')}`;
  assert.deepEqual(asked, [['/token?x=1&service=registry&scope=repository%3Aapp%3Apull', basic], ['/token?x=1&service=registry&scope=repository%3Aapp%3Apull', basic]]);
  assert.ok(registry.requests.every(({ authorization }) => authorization === undefined || authorization.startsWith('Bearer ')), 'the password goes to the token service only');
});

test('identity tokens are exchanged, registry tokens sent as they are', async (t) => {
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

  await pull(t, registry, { auth: { ...noAuth, identityToken: 'refresh me' } });
  await pull(t, registry, { auth: { ...noAuth, registryToken: 'direct' } });

  assert.equal(body, 'service=registry&scope=repository%3Aapp%3Apull&grant_type=refresh_token&client_id=gantry&refresh_token=refresh+me');
  assert.equal(tokenService.requests.length, 1);
});

test('credentials that the token service refuses end the pull in plain words', async (t) => {
  const tokenService = await misbehaving(t, (_, response) => {
    response.writeHead(401).end('{"details":"incorrect username or password"}');
    return true;
  });
  const challenge = (realm: string): Promise<FaultyRegistry> => misbehaving(t, (_, response) => {
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    return true;
  });

  await assert.rejects(pull(t, await challenge(`${tokenService.url}/token`), { auth: login }), fails('failed-precondition', /get registry token from .* refuses access \(401\), the given credentials were sent/));
  await assert.rejects(pull(t, await challenge('gopher://x'), { auth: login }), fails('failed-precondition', /names the token service "gopher:\/\/x", which is not a web address/));
});

test('a registry that refuses a range, or sends another than it was asked for, sends the blob from its start', async (t) => {
  for (const answer of [416, 206]) {
    const registry = await misbehaving(t, (request, response) => {
      if (request.headers.range === undefined) return false;
      response.writeHead(answer, { 'content-range': answer === 416 ? `bytes */${lastLayer.bytes.length}` : 'bytes 1-2/3' }).end('xx');
      return true;
    });
    const rule = { schemes: ['http'] as const };
    const session = new RegistrySession({ endpoint: { host: registry.host, address: registry.host, repository: 'app', rule }, credentials: credentialsFor(registry.host, undefined), hostRules: () => rule });
    t.after(() => session.close());
    const manifest = parseManifest(image.top.bytes, image.top.mediaType, 'app:v1');
    const blob = manifest.kind === 'manifest' ? manifest.layers.at(-1)! : assert.fail('want a manifest');

    const rest = Buffer.concat(await Readable.from(downloadBlob(session, blob, never, 10)).toArray());

    assert.deepEqual(rest, lastLayer.bytes.subarray(10), String(answer));
  }
});
