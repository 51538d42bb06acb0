/**
 * One image's conversation with one registry (OCI distribution-spec, "Pull"): manifests and blobs of one repository with one set
 * of credentials.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure, isKind } from '../../base/errors.ts';
import { fetchToken } from './bearer-token.ts';
import { parseChallenges } from './challenge.ts';
import { basicAuthorization } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import { Connections, isNotTls } from './http-exchange.ts';
import type { HostRule, HostRules } from './host-rules.ts';
import { acceptedTypes } from './manifest.ts';
import type { Descriptor } from './manifest.ts';
import { readCapped, usualPatience } from './pace.ts';
import type { Patience } from './pace.ts';
import type { Endpoint } from './pull-plan.ts';
import { answerFailure } from './registry-answer.ts';
import { retryAfterMs } from './retry-after.ts';

/** distribution's own limit for manifests. */
const largestManifest = 4 << 20;
const mostRedirects = 5;
const largestDiscard = 64 << 10;

/** A manifest or index as received, its digest checked. */
export interface ReceivedManifest {
  readonly bytes: Buffer;
  readonly contentType: string;
  readonly digest: Digest;
}

export interface SessionDeps {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  readonly hostRules: HostRules;
  readonly patience?: Patience;
  /** Whether an answer 429 is waited out, as there is nobody else to ask. */
  readonly waitsWhenLimited?: boolean;
}

/** A blob on its way, from byte `offset` on. */
export interface OpenBlob {
  readonly body: IncomingMessage;
  readonly offset: number;
  /** Who sends it. */
  readonly host: string;
}

/** A registry that limits its callers is asked again this often, each time after the pause that it asks for, or twice the one before. */
const limitedPauses = { most: 4, firstMs: 1000, longestMs: 30_000 } as const;

export class RegistrySession {
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials;
  readonly #connections: Connections;
  readonly patience: Patience;
  readonly #waitsWhenLimited: boolean;
  #origin: Promise<string> | undefined;
  #authorization: string | undefined;
  #renewing: Promise<string | undefined> | undefined;

  constructor(deps: SessionDeps) {
    this.#endpoint = deps.endpoint;
    this.#credentials = deps.credentials;
    this.patience = deps.patience ?? usualPatience;
    // Who the registry redirects to is trusted by its own name, not by the registry's rule.
    const ruleOf = (host: string): HostRule | Promise<HostRule> => (host === deps.endpoint.address ? deps.endpoint.rule : deps.hostRules(host));
    this.#connections = new Connections({ ruleOf, patience: this.patience });
    this.#waitsWhenLimited = deps.waitsWhenLimited ?? true;
    if (deps.credentials.kind === 'registry-token') this.#authorization = `Bearer ${deps.credentials.token}`;
  }

  get host(): string {
    return this.#endpoint.host;
  }

  /** Closes the connections; downloads still running fail. */
  close(): void {
    this.#connections.close();
  }

  /** Gets a manifest or index by tag or digest. Not what its digest says: unavailable. Other errors: see answerFailure. */
  async getManifest(tagOrDigest: string, signal: AbortSignal): Promise<ReceivedManifest> {
    const object = `${this.#endpoint.repository}${isDigest(tagOrDigest) ? '@' : ':'}${tagOrDigest}`;
    const response = await this.#get({ path: `manifests/${tagOrDigest}`, headers: { accept: acceptedTypes }, act: 'get manifest', object, signal });
    const bytes = await readCapped(response, largestManifest, { patience: this.patience, host: this.host, what: `manifest ${object}` });
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
    // Asked by tag, the registry's own statement still shows damage on the way.
    const promised = isDigest(tagOrDigest) ? tagOrDigest : response.headers['docker-content-digest'];
    if (typeof promised === 'string' && isDigest(promised) && promised !== digest) {
      throw failure('unavailable', { act: 'verify manifest', object, why: `it should have the digest ${promised}, what ${this.host} sent has ${digest}` });
    }
    return { bytes, contentType: response.headers['content-type'] ?? '', digest };
  }

  /**
   * Opens a blob from byte `offset` on. A registry that doesn't do ranges, or refuses or mistakes this one, sends it from the start: the
   * answer tells where the bytes begin. Nothing is verified here.
   */
  async openBlob(blob: Descriptor, offset: number, signal: AbortSignal): Promise<OpenBlob> {
    const ask = { path: `blobs/${blob.digest}`, act: 'get blob', object: blob.digest, signal };
    if (offset > 0) {
      const body = await this.#get({ ...ask, headers: { range: `bytes=${offset}-` }, mayRefuseRange: true });
      if (body.statusCode === 200) return { body, offset: 0, host: this.host };
      const start = /^bytes (\d+)-/.exec(body.headers['content-range'] ?? '')?.[1];
      if (body.statusCode === 206 && Number(start) === offset) return { body, offset, host: this.host };
      body.destroy();
    }
    return { body: await this.#get({ ...ask, headers: {} }), offset: 0, host: this.host };
  }

  /** A 200 or 206 answer, or a 416 where that is expected; authenticates when the registry asks for it. */
  async #get(ask: { path: string; headers: OutgoingHttpHeaders; act: string; object: string; signal: AbortSignal; mayRefuseRange?: boolean }): Promise<IncomingMessage> {
    const url = await this.#urlOf(ask.path, ask.signal);
    const response = this.#waitsWhenLimited ? await this.#patiently(url, ask) : await this.#authorized(url, ask);
    if (response.statusCode === 200 || response.statusCode === 206 || (ask.mayRefuseRange === true && response.statusCode === 416)) return response;
    const credentials = this.#credentials.kind === 'anonymous' ? 'no credentials for it were given' : 'with the given credentials';
    throw await answerFailure(response, { act: ask.act, object: ask.object, host: this.host, patience: this.patience, credentials });
  }

  /** Waits out a registry that limits its callers, as long as that is short: the kubelet's own back-off is the better place for a long wait. */
  async #patiently(url: URL, ask: { headers: OutgoingHttpHeaders; act: string; object: string; signal: AbortSignal }): Promise<IncomingMessage> {
    for (let waits = 0; ; waits++) {
      const response = await this.#authorized(url, ask);
      const pauseMs = retryAfterMs(response) ?? limitedPauses.firstMs * 2 ** waits;
      if (response.statusCode !== 429 || waits === limitedPauses.most || pauseMs > limitedPauses.longestMs) return response;
      discard(response);
      await sleep(pauseMs, undefined, { signal: ask.signal }).catch(() => {
        throw failure('cancelled', { act: ask.act, object: ask.object });
      });
    }
  }

  async #urlOf(path: string, signal: AbortSignal): Promise<URL> {
    const { apiPath = '/v2', repository, namespace } = this.#endpoint;
    const url = new URL(`${await this.#findOrigin(signal)}${apiPath}/${repository}/${path}`);
    if (namespace !== undefined) url.searchParams.set('ns', namespace);
    return url;
  }

  /** One GET, repeated with new authorization when the registry itself asks for it: whom it redirects to could name a token service of its own. */
  async #authorized(url: URL, { headers, signal }: { headers: OutgoingHttpHeaders; signal: AbortSignal }): Promise<IncomingMessage> {
    const used = this.#authorization;
    const { response, from } = await this.#follow(url, headers, used, signal);
    if (response.statusCode !== 401 || from.origin !== url.origin) return response;
    const renewed = await this.#renew(response, used, signal);
    if (renewed === undefined) return response;
    discard(response);
    return (await this.#follow(url, headers, renewed, signal)).response;
  }

  /** Sends a GET and follows redirects. Authorization and headers of the rule go to the registry itself only. */
  async #follow(start: URL, headers: OutgoingHttpHeaders, authorization: string | undefined, signal: AbortSignal): Promise<{ response: IncomingMessage; from: URL }> {
    let url = start;
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const own = url.origin === start.origin ? { ...this.#endpoint.rule.headers, ...(authorization === undefined ? {} : { authorization }) } : {};
      const response = await this.#connections.send({ url, headers: { ...headers, 'accept-encoding': 'identity', 'user-agent': 'gantry', ...own }, signal });
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) return { response, from: url };
      discard(response);
      url = this.#redirected(url, location);
    }
    throw failure('unavailable', { act: 'follow redirects of', object: this.host, why: `there are more than ${mostRedirects}` });
  }

  #redirected(from: URL, location: string): URL {
    const to = URL.parse(location, from.href);
    const refuse = (why: string): Error => failure('failed-precondition', { act: 'follow redirect of', object: this.host, why });
    if (to === null || (to.protocol !== 'https:' && to.protocol !== 'http:')) throw refuse(`it leads to ${JSON.stringify(location.slice(0, 200))}, which is not a web address`);
    if (from.protocol === 'https:' && to.protocol === 'http:') throw refuse(`it leads from HTTPS to plain HTTP at ${to.host}`);
    return to;
  }

  #findOrigin(signal: AbortSignal): Promise<string> {
    this.#origin ??= this.#probeOrigin(signal).catch((error: unknown) => {
      this.#origin = undefined;
      throw error;
    });
    return this.#origin;
  }

  /** Where the rule leaves a choice, the first scheme that gets any HTTP answer. */
  async #probeOrigin(signal: AbortSignal): Promise<string> {
    const origins = this.#endpoint.rule.schemes.map((scheme) => `${scheme}://${this.#endpoint.address}`);
    for (const [i, origin] of origins.entries()) {
      if (i === origins.length - 1) return origin;
      try {
        const response = await this.#connections.send({ url: new URL(`${origin}${this.#endpoint.apiPath ?? '/v2'}/`), headers: { ...this.#endpoint.rule.headers }, signal });
        discard(response);
        return origin;
      } catch (error) {
        if (!isNotTls(error) && !isKind(error, 'unavailable')) throw error;
      }
    }
    throw failure('internal', { act: 'contact registry', object: this.host, why: 'its rule allows no scheme' });
  }

  /** Answers a 401. Several requests that got one share the new token; undefined when there is nothing (new) to send. */
  async #renew(response: IncomingMessage, used: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    if (this.#authorization !== used) return this.#authorization;
    const challenges = parseChallenges(response.headers['www-authenticate'] ?? '');
    this.#renewing ??= this.#answerChallenge(challenges, signal).finally(() => (this.#renewing = undefined));
    const renewed = await this.#renewing;
    if (renewed !== undefined) this.#authorization = renewed;
    return renewed;
  }

  async #answerChallenge(challenges: ReturnType<typeof parseChallenges>, signal: AbortSignal): Promise<string | undefined> {
    const credentials = this.#credentials;
    if (credentials.kind === 'registry-token') return undefined;
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      const origin = await this.#findOrigin(signal);
      const token = await fetchToken({ challenge: bearer, credentials, repository: this.#endpoint.repository, origin, connections: this.#connections, patience: this.patience, signal });
      return `Bearer ${token}`;
    }
    const canBasic = challenges.some(({ scheme }) => scheme === 'basic') && credentials.kind === 'basic';
    return canBasic && this.#authorization === undefined ? basicAuthorization(credentials.username, credentials.password) : undefined;
  }
}

/** Done with an answer: a short body is read to its end, so that the connection can be used again. */
function discard(response: IncomingMessage): void {
  if (Number(response.headers['content-length'] ?? NaN) <= largestDiscard) response.resume();
  else response.destroy();
}
