/**
 * Registries on loopback: a real one (Debian's docker-registry) with a storage of its own, and a double whose only purpose is to
 * misbehave.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { spawn } from '../../src/host/spawn.ts';
import { patience } from './patience.ts';
import type { TestImage } from './image.ts';

export interface Registry {
  /** `127.0.0.1:PORT`, as it stands in references. */
  readonly host: string;
  /** `http://127.0.0.1:PORT` or `https://…` */
  readonly url: string;
  /** The authority that signed its certificate; undefined without TLS. */
  readonly caFile: string | undefined;
  /** What it wants to be shown; undefined when it wants nothing. */
  readonly clientCertificate: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** What it wants to see; undefined when everyone may come. */
  readonly login: { readonly username: string; readonly password: string } | undefined;
  /** Ends the process and removes its storage. */
  stop(): Promise<void>;
}

/** The one user of a registry with `auth`; the hash is bcrypt of the password. */
const login = { username: 'gantry', password: 'secret' };
const htpasswd = 'gantry:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';

/** Starts a real registry on a free port of 127.0.0.1. `tls`: HTTPS with a fresh authority, with `mutual` for clients with a certificate only. `auth`: HTTP basic. */
export async function startRegistry(options: { tls?: boolean | 'mutual'; auth?: boolean } = {}): Promise<Registry> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-registry-'));
  const certificate = options.tls === undefined || options.tls === false ? undefined : makeCertificate(directory);
  const clientCertificate = options.tls === 'mutual' ? certificate : undefined;
  await writeFile(join(directory, 'htpasswd'), htpasswd);
  await writeFile(join(directory, 'config.json'), JSON.stringify({
    version: 0.1,
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(directory, 'storage') } },
    http: { addr: '127.0.0.1:0', secret: 'test', ...(certificate === undefined ? {} : { tls: { certificate: certificate.certFile, key: certificate.keyFile, ...(clientCertificate === undefined ? {} : { clientcas: [certificate.caFile] }) } }) },
    ...(options.auth === true ? { auth: { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } } } : {}),
  }));
  const child = spawn('/usr/bin/docker-registry', ['serve', join(directory, 'config.json')], { stdio: ['null', 'null', 'pipe-out'], env: { PATH: process.env['PATH'] ?? '', OTEL_TRACES_EXPORTER: 'none' } });
  const log = child.streams[2];
  if (log === undefined) throw new Error('no log of the registry');
  const port = await listeningPort(log);
  return {
    host: `127.0.0.1:${port}`,
    url: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    caFile: certificate?.caFile,
    clientCertificate,
    login: options.auth === true ? login : undefined,
    async stop() {
      child.kill('SIGKILL');
      // A child's exit alone does not keep Node running.
      const awake = setInterval(() => {}, 1_000);
      await child.exited.finally(() => clearInterval(awake));
      log.destroy();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A request to a test registry, with its certificate and login; an error status throws. */
export async function registryRequest(registry: Registry, ask: { method: string; path: string; body?: Buffer; type?: string }): Promise<{ location: string; body: Buffer }> {
  const { caFile, clientCertificate, login: user } = registry;
  const send = caFile === undefined ? httpRequest : httpsRequest;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = send(new URL(ask.path, registry.url), {
    method: ask.method,
    agent: false,
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    ...(clientCertificate === undefined ? {} : { cert: readFileSync(clientCertificate.certFile), key: readFileSync(clientCertificate.keyFile) }),
    ...(user === undefined ? {} : { auth: `${user.username}:${user.password}` }),
    headers: { 'content-length': ask.body?.length ?? 0, ...(ask.type === undefined ? {} : { 'content-type': ask.type }) },
  }, resolve);
  outgoing.once('error', reject);
  outgoing.end(ask.body);
  const response = await promise;
  const body = Buffer.concat(await response.toArray());
  if ((response.statusCode ?? 0) >= 300) throw new Error(`${ask.method} ${ask.path}: ${response.statusCode} ${body.toString('utf8').slice(0, 300)}`);
  return { location: response.headers.location ?? '', body };
}

export interface FaultyRegistry {
  readonly host: string;
  readonly url: string;
  /** What was asked, in order. */
  readonly requests: { readonly url: string; readonly authorization: string | undefined; readonly range: string | undefined }[];
  stop(): Promise<void>;
}

/** Answers a request in its own way and returns true, or returns false and the double serves the image as it should be. */
export type Fault = (request: IncomingMessage & { url: string }, response: ServerResponse) => boolean | Promise<boolean>;

/** Starts an HTTP server that serves these images under any repository and tag of theirs, except where `fault` answers. */
export async function startFaultyRegistry(images: Readonly<Record<string, TestImage>>, fault: Fault = () => false): Promise<FaultyRegistry> {
  const requests: FaultyRegistry['requests'] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? '/';
    requests.push({ url, authorization: request.headers.authorization, range: request.headers.range });
    Promise.resolve(fault(Object.assign(request, { url }), response)).then((handled) => {
      if (!handled) serve(images, url, response);
    }, (error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    requests,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(images: Readonly<Record<string, TestImage>>, url: string, response: ServerResponse): void {
  const [, repository = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
  const found = Object.entries(images).filter(([name]) => name.split(':')[0] === repository).flatMap(([name, image]) => {
    const byTag = name === `${repository}:${reference}` ? [image.top] : [];
    return kind === 'manifests' ? [...byTag, image.top, ...image.manifests].filter((blob) => byTag.includes(blob) || blob.digest === reference) : image.blobs.filter(({ digest }) => digest === reference);
  });
  const [blob] = found;
  if (blob === undefined) {
    response.writeHead(url === '/v2/' ? 200 : 404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
    return;
  }
  response.writeHead(200, { 'content-type': blob.mediaType, 'content-length': blob.bytes.length }).end(blob.bytes);
}

async function listeningPort(log: NodeJS.ReadableStream): Promise<number> {
  const lines = createInterface({ input: log });
  let seen = '';
  const port = await new Promise<number>((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`the registry does not listen: ${seen}`)), 20_000 * patience);
    lines.on('line', (line) => {
      seen += `${line}\n`;
      const match = /listening on 127\.0\.0\.1:(\d+)/.exec(line);
      if (match === null) return;
      clearTimeout(deadline);
      resolve(Number(match[1]));
    });
    lines.on('close', () => reject(new Error(`the registry ended: ${seen}`)));
  });
  // It logs every request; unread, the pipe would fill and stop it.
  lines.removeAllListeners('line');
  log.resume();
  return port;
}

/** An authority and a certificate for 127.0.0.1 and localhost, made by openssl. */
function makeCertificate(directory: string): { caFile: string; certFile: string; keyFile: string } {
  const path = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...newKey, '-subj', '/CN=gantry test authority', '-keyout', path('ca.key'), '-out', path('ca.pem'));
  openssl('req', '-x509', ...newKey, '-subj', '/CN=gantry test registry', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE',
    '-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-keyout', path('server.key'), '-out', path('server.pem'));
  return { caFile: path('ca.pem'), certFile: path('server.pem'), keyFile: path('server.key') };
}
