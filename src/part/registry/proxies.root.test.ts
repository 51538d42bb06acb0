/** Registries behind a proxy: a real one on loopback, reached under a name that only the proxy knows. */
import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeImage, pushImage } from '../../../test/support/image.ts';
import { startRegistry } from '../../../test/support/registry.ts';
import type { Registry } from '../../../test/support/registry.ts';
import { credentialsFor } from './credentials.ts';
import { downloadBlob } from './download-blob.ts';
import type { HostRule } from './host-rules.ts';
import { Connections } from './http-exchange.ts';
import { parseManifest } from './manifest.ts';
import { usualPatience } from './pace.ts';
import { RegistrySession } from './registry-session.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const image = makeImage({ layers: [[{ path: 'a', content: 'x'.repeat(100_000) }]] });
const never = new AbortController().signal;
const login = `Basic ${Buffer.from('us er:p@ss').toString('base64')}`;
const registries: Record<'http' | 'https', Registry | undefined> = { http: undefined, https: undefined };

before(async () => {
  if (skip !== false) return;
  registries.http = await startRegistry();
  registries.https = await startRegistry({ tls: true });
  await pushImage(registries.http, 'app:v1', image);
  await pushImage(registries.https, 'app:v1', image);
});

after(async () => {
  for (const registry of Object.values(registries)) await registry?.stop();
});

interface TestProxy {
  readonly host: string;
  /** What it was asked for: `GET http://…` or `CONNECT host:port`. */
  readonly asked: string[];
}

/** Leads every name to the registry; wants a login, or answers 502, if told so. */
async function startProxy(t: TestContext, behaviour: { wantsLogin?: boolean; isBroken?: boolean } = {}): Promise<TestProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const refusal = (authorization: string | undefined): number | undefined => (behaviour.wantsLogin === true && authorization !== login ? 407 : behaviour.isBroken === true ? 502 : undefined);
  const server: Server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const status = refusal(request.headers['proxy-authorization']);
    if (status !== undefined) return void response.writeHead(status).end();
    const { pathname, search } = new URL(request.url!);
    request.pipe(httpRequest(`${registries.http!.url}${pathname}${search}`, { method: request.method!, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    }));
  });
  server.on('connect', (request, client: Socket) => {
    asked.push(`CONNECT ${request.url}`);
    const status = refusal(request.headers['proxy-authorization']);
    if (status !== undefined) return void client.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const upstream = connect(Number(new URL(registries.https!.url).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const rules = { http: { schemes: ['http'] }, https: { schemes: ['https'], skipVerify: true } } as const satisfies Record<string, HostRule>;

async function answerOf(t: TestContext, url: string, environment: Record<string, string>, rule: HostRule = rules.https): Promise<number | undefined> {
  const connections = new Connections({ ruleOf: () => rule, patience: { ...usualPatience, connectMs: 5000 }, environment });
  t.after(() => connections.close());
  const response = await connections.send({ url: new URL(url), headers: {}, signal: never });
  response.destroy();
  return response.statusCode;
}

for (const scheme of ['http', 'https'] as const) {
  test(`a whole image comes from an ${scheme} registry through the proxy of the daemon's environment`, { skip }, async (t) => {
    const proxy = await startProxy(t);
    const variable = `${scheme.toUpperCase()}_PROXY`;
    const before = process.env[variable];
    process.env[variable] = `http://${proxy.host}`;
    t.after(() => {
      if (before === undefined) delete process.env[variable];
      else process.env[variable] = before;
    });
    const rule = rules[scheme];
    const session = new RegistrySession({ endpoint: { host: 'reg.example:5000', address: 'reg.example:5000', repository: 'app', rule }, credentials: credentialsFor('reg.example:5000', undefined), hostRules: () => rule, patience: usualPatience });
    t.after(() => session.close());

    const { bytes } = await session.getManifest('v1', never);
    const manifest = parseManifest(bytes, image.top.mediaType, 'app:v1');
    const [layer] = manifest.kind === 'manifest' ? manifest.layers : [];
    assert.ok(layer !== undefined);
    let received = 0;
    for await (const chunk of downloadBlob(session, layer, never)) received += chunk.length;

    assert.deepEqual([bytes, received], [image.top.bytes, layer.size]);
    assert.ok(scheme === 'https' ? proxy.asked.every((line) => line === 'CONNECT reg.example:5000') : proxy.asked.includes('GET http://reg.example:5000/v2/app/manifests/v1'), proxy.asked.join());
  });
}

test('the certificate that counts is the registry\'s, not the proxy\'s', { skip }, async (t) => {
  const proxy = await startProxy(t);

  await assert.rejects(answerOf(t, 'https://reg.example/v2/', { HTTPS_PROXY: `http://${proxy.host}` }, { schemes: ['https'], caFiles: [registries.https!.caFile!] }), { kind: 'failed-precondition', message: /^contact registry reg\.example: its certificate is not trusted: .*altnames/ });
});

test('credentials in the proxy\'s URL are shown to the proxy; without them the error says where they belong', { skip }, async (t) => {
  const proxy = await startProxy(t, { wantsLogin: true });
  const environment = (url: string): Record<string, string> => ({ HTTP_PROXY: url, HTTPS_PROXY: url });

  for (const scheme of ['http', 'https']) {
    assert.equal(await answerOf(t, `${scheme}://reg.example/v2/`, environment(`http://us%20er:p%40ss@${proxy.host}`)), 200, scheme);
    await assert.rejects(answerOf(t, `${scheme}://reg.example/v2/`, environment(`http://us%20er:wrong@${proxy.host}`)), (error: Error & { kind?: string }) => {
      assert.match(error.message, new RegExp(`^contact registry reg\\.example: the proxy http://${proxy.host} of ${scheme.toUpperCase()}_PROXY wants a login \\(407\\): put it into the variable`));
      assert.ok(!error.message.includes('wrong'));
      return error.kind === 'failed-precondition';
    });
  }
});

test('a proxy that is down or leads nowhere is named in the error, and the registry is unavailable', { skip }, async (t) => {
  const proxy = await startProxy(t, { isBroken: true });
  const cases: [url: string, environment: Record<string, string>, why: RegExp][] = [
    ['https://reg.example/', { HTTPS_PROXY: `http://u:secret@${proxy.host}` }, /^contact registry reg\.example: the proxy http:\/\/127\.0\.0\.1:\d+ of HTTPS_PROXY does not lead there: it answers 502$/],
    ['https://reg.example/', { https_proxy: 'http://u:secret@127.0.0.1:1' }, /^contact registry reg\.example: by the proxy http:\/\/127\.0\.0\.1:1 of https_proxy: connect ECONNREFUSED 127\.0\.0\.1:1$/],
    ['http://reg.example/', { HTTP_PROXY: '127.0.0.1:1' }, /by the proxy http:\/\/127\.0\.0\.1:1 of HTTP_PROXY: connect ECONNREFUSED/],
  ];

  for (const [url, environment, message] of cases) await assert.rejects(answerOf(t, url, environment), { kind: 'unavailable', criReason: 'RegistryUnavailable', message });
  await assert.rejects(answerOf(t, 'https://reg.example/', { HTTPS_PROXY: 'socks5://proxy:1' }), { kind: 'failed-precondition', message: /a proxy of the kind socks5 is not supported/ });
});

test('what NO_PROXY names and what is on this machine is asked directly', { skip }, async (t) => {
  const proxy = await startProxy(t);
  const { url } = registries.http!;

  assert.equal(await answerOf(t, `${url}/v2/`, { HTTP_PROXY: `http://${proxy.host}` }), 200);
  await assert.rejects(answerOf(t, 'http://reg.invalid:5000/v2/', { HTTP_PROXY: `http://${proxy.host}`, NO_PROXY: 'invalid' }), { message: /^contact registry reg\.invalid:5000: getaddrinfo/ });
  assert.deepEqual(proxy.asked, []);
});
