/** One HTTP request and the head of its answer, with deadlines, and network errors in words. */
import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Agent as SecureAgent, RequestOptions } from 'node:https';
import { createSecureContext, getCACertificates } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { during, failure, GantryError, messageOf } from '../../base/errors.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import type { HostRule, HostRules } from './host-rules.ts';
import type { Patience } from './pace.ts';
import { chooseProxy } from './proxy-choice.ts';
import type { Environment, Proxy } from './proxy-choice.ts';

// Not imported: an import reads every export of node:http, one of which loads Node's whole HTTP client, a tenth of the daemon's start.
const { Agent: HttpAgent, request: httpRequest } = process.getBuiltinModule('node:http');
const { Agent: HttpsAgent, request: httpsRequest } = process.getBuiltinModule('node:https');

export interface HttpRequest {
  readonly url: URL;
  readonly method?: 'GET' | 'POST';
  readonly headers: OutgoingHttpHeaders;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** The connections of one pull: kept alive while it runs, closed with it. */
export class Connections {
  readonly #ruleOf: HostRules;
  readonly #patience: Patience;
  readonly #environment: Environment;
  /** By the proxy's URL; under the empty one those that go without. */
  readonly #agents = new Map<string, Agents>();
  readonly #contexts = new Map<string, SecureContext>();

  /** `environment`: where proxies are named; the process's own without it. */
  constructor(deps: { ruleOf: HostRules; patience: Patience; environment?: Environment }) {
    this.#ruleOf = deps.ruleOf;
    this.#patience = deps.patience;
    this.#environment = deps.environment ?? process.env;
  }

  /**
   * Sends a request and resolves with the answer's head, whatever its status; the caller reads or destroys the body. Host not
   * reached: unavailable (RegistryUnavailable to the kubelet). Certificate refused: failed-precondition. Aborted: cancelled.
   */
  async send(request: HttpRequest): Promise<IncomingMessage> {
    try {
      return await this.#sendOnce(request);
    } catch (error) {
      // A kept-alive connection may have been closed by the other side just when we used it: that says nothing about the host.
      if (error instanceof StaleConnection) return await this.#sendOnce(request);
      throw error;
    }
  }

  close(): void {
    for (const { http, https } of this.#agents.values()) for (const agent of [http, https]) agent.destroy();
  }

  async #sendOnce(request: HttpRequest): Promise<IncomingMessage> {
    const rule = await this.#ruleOf(request.url.host);
    const context = request.url.protocol === 'http:' ? undefined : await this.#contextOf(rule);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const proxy = chooseProxy(request.url, this.#environment);
    const outgoing = this.#open(request, { rule, context }, this.#agentsFor(proxy));
    const patience = watchPatience(outgoing, { ...this.#patience, ...(rule.connectMs === undefined ? {} : { connectMs: rule.connectMs }) }, request.url);
    outgoing.once('response', (response) => {
      patience.end();
      if (proxy === undefined || response.statusCode !== wantsProxyLogin) return resolve(response);
      response.destroy();
      reject(proxyRefusal(proxy, request.url, response.statusCode));
    });
    outgoing.on('error', (cause) => {
      patience.end();
      reject(request.signal.aborted ? failure('cancelled', { act: 'contact registry', object: request.url.host }) : networkFailure(cause, outgoing, { url: request.url, proxy }));
    });
    outgoing.end(request.body);
    return await promise;
  }

  #open({ url, method = 'GET', headers, signal }: HttpRequest, { rule, context }: { rule: HostRule; context: SecureContext | undefined }, agents: Agents): ClientRequest {
    if (context === undefined) return httpRequest(url, { method, headers, signal, agent: agents.http });
    const options: RequestOptions & { secureContext: SecureContext } = {
      method, headers, signal, agent: agents.https, rejectUnauthorized: rule.skipVerify !== true, secureContext: context,
    };
    return httpsRequest(url, options);
  }

  #agentsFor(proxy: Proxy | undefined): Agents {
    const url = proxy?.url ?? '';
    // The choice is made already: the agents only carry it out.
    const options = { keepAlive: true, ...(proxy === undefined ? {} : { proxyEnv: { HTTP_PROXY: url, HTTPS_PROXY: url } }) };
    const agents = this.#agents.get(url) ?? { http: new HttpAgent(options), https: new HttpsAgent(options) };
    this.#agents.set(url, agents);
    return agents;
  }

  /** Whom to trust and what to show: the same files give the same context, so that its connections are used again. */
  async #contextOf({ caFiles = [], clientCertificates = [] }: HostRule): Promise<SecureContext> {
    if (caFiles.length + clientCertificates.length === 0) return (systemTrust ??= createSecureContext({ ca: systemAuthorities() }));
    const key = JSON.stringify([caFiles, clientCertificates]);
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const context = createSecureContext({
      ca: [...systemAuthorities(), ...await readEach(caFiles, 'certificate authority')],
      cert: await readEach(clientCertificates.map(({ certFile }) => certFile), 'client certificate'),
      key: await readEach(clientCertificates.map(({ certFile, keyFile }) => keyFile ?? certFile), 'client key'),
    });
    this.#contexts.set(key, context);
    return context;
  }
}

interface Agents {
  readonly http: Agent;
  readonly https: SecureAgent;
}

const wantsProxyLogin = 407;

/** A proxy that answers for itself: it wants a login, or does not lead on. */
function proxyRefusal({ told }: Proxy, url: URL, status: number | undefined): GantryError {
  const detail = { act: 'contact registry', object: url.host };
  if (status === wantsProxyLogin) return failure('failed-precondition', { ...detail, why: `${told} wants a login (407): put it into the variable, http://USER:PASSWORD@HOST:PORT, and start the daemon anew` });
  return failure('unavailable', { ...detail, why: `${told} does not lead there${status === undefined ? '' : `: it answers ${status}`}`, criReason: 'RegistryUnavailable' });
}

/** More than all authorities of a system have together. */
const maxPemBytes = 4 << 20;

/** One after the other, as each that is under way has a thread. */
async function readEach(paths: readonly string[], what: string): Promise<string[]> {
  const texts: string[] = [];
  for (const path of paths) texts.push(await readPem(path, what));
  return texts;
}

/** A file of the administrator's. What is not PEM would be told by OpenSSL without the file's name, so it is looked at here. */
async function readPem(path: string, what: string): Promise<string> {
  const refuse = (detail: { why?: string; cause?: unknown }): Error => failure('failed-precondition', { act: `read ${what}`, object: path, ...detail });
  let text: string;
  try {
    text = (await fencedFiles.read(path, maxPemBytes)).toString('utf8');
  } catch (cause) {
    if (cause instanceof GantryError) throw during(cause, { act: `read ${what}`, object: path });
    throw refuse({ cause });
  }
  if (!text.includes('-----BEGIN ')) throw refuse({ why: 'it is not a PEM file' });
  return text;
}

/** A network error on a connection that had served before. */
class StaleConnection extends Error {}

// Built at the first HTTPS request and kept: parsing the system's certificates takes tens of milliseconds.
let systemTrust: SecureContext | undefined;

/** The authorities that the system trusts; a machine without any gets those that Node brings. */
function systemAuthorities(): string[] {
  const system = getCACertificates('system');
  return [...new Set(system.length > 0 ? system : getCACertificates('bundled'))];
}

function watchPatience(request: ClientRequest, patience: Patience, url: URL): { end: () => void } {
  const giveUp = (what: string, ms: number): NodeJS.Timeout =>
    setTimeout(() => request.destroy(failure('unavailable', { act: 'contact registry', object: url.host, why: `no ${what} within ${ms / 1000} s`, criReason: 'RegistryUnavailable' })), ms);
  let timer = giveUp('connection', patience.connectMs);
  request.once('socket', (socket) => {
    const connected = (): void => {
      clearTimeout(timer);
      if (!request.destroyed) timer = giveUp('answer', patience.firstByteMs);
    };
    if (request.reusedSocket || !socket.connecting) connected();
    else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', connected);
  });
  return { end: () => clearTimeout(timer) };
}

const certificateCodes = new Set([
  'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_REVOKED', 'CERT_UNTRUSTED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID', 'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** TLS alerts of a server that asks its clients for a certificate (RFC 8446, 6.2), which Node tells in OpenSSL's words only. */
function wantsCertificate(error: unknown): boolean {
  return /alert (bad certificate|certificate required)/.test(messageOf(error));
}

/** True when the other side seems not to speak TLS. */
export function isNotTls(error: unknown): boolean {
  const cause = error instanceof GantryError ? error.cause : error;
  const code = codeOf(cause);
  if (wantsCertificate(cause)) return false;
  return code === 'EPROTO' || code.startsWith('ERR_SSL_') || code === 'ECONNRESET';
}

function networkFailure(cause: Error, request: ClientRequest, { url, proxy }: { url: URL; proxy: Proxy | undefined }): Error {
  if (cause instanceof GantryError) return cause;
  const code = codeOf(cause);
  if (request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE')) return new StaleConnection(code, { cause });
  const detail = { act: 'contact registry', object: url.host, cause };
  if (proxy !== undefined && code === 'ERR_PROXY_TUNNEL') return proxyRefusal(proxy, url, (cause as Error & { statusCode?: number }).statusCode);
  if (certificateCodes.has(code)) {
    return failure('failed-precondition', { ...detail, why: `its certificate is not trusted: ${cause.message}; install its authority, or list the registry as insecure` });
  }
  if (wantsCertificate(cause)) {
    return failure('failed-precondition', { ...detail, why: 'it wants a certificate of its clients; put one, as NAME.cert with NAME.key, into its folder of certs.d' });
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return failure('failed-precondition', { ...detail, why: 'it does not speak HTTPS; if it is meant to speak plain HTTP, list it as insecure' });
  }
  return failure('unavailable', { ...detail, why: proxy === undefined ? describe(cause) : `by ${proxy.told}: ${describe(cause)}`, criReason: 'RegistryUnavailable' });
}

function codeOf(error: unknown): string {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code ?? '' : '';
}

// Node tries all addresses of a name and then reports one error without a message that holds the real ones.
function describe(error: Error): string {
  return error instanceof AggregateError && error.message === '' ? error.errors.map(messageOf).join('; ') : error.message;
}
