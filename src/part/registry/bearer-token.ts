/** Tokens of a registry's token service (distribution "Token Authentication", and its OAuth2 form for identity tokens). */
import type { OutgoingHttpHeaders } from 'node:http';
import { failure } from '../../base/errors.ts';
import { answerFailure } from './registry-answer.ts';
import { basicAuthorization } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Challenge } from './challenge.ts';
import type { Connections } from './http-exchange.ts';
import { readCapped } from './pace.ts';
import type { Patience } from './pace.ts';

export interface TokenRequest {
  readonly challenge: Challenge;
  readonly credentials: Credentials;
  readonly repository: string;
  /** The registry that sent the challenge, e.g. `https://ghcr.io`. */
  readonly origin: string;
  readonly connections: Connections;
  readonly patience: Patience;
  readonly signal: AbortSignal;
}

/**
 * Fetches the token that the challenge asks for. The credentials go to the challenge's realm and nowhere else: redirects of a token service
 * are not followed, and a registry on HTTPS can't send them over plain HTTP. Refused credentials: failed-precondition.
 */
export async function fetchToken(request: TokenRequest): Promise<string> {
  const realm = realmOf(request);
  const parameters = new URLSearchParams();
  const service = request.challenge.parameters.get('service');
  if (service !== undefined) parameters.set('service', service);
  parameters.set('scope', request.challenge.parameters.get('scope') ?? `repository:${request.repository}:pull`);

  const response = await request.connections.send({ ...ask(realm, parameters, request.credentials), signal: request.signal });
  const context = { act: 'get registry token from', object: realm.host, host: realm.host, patience: request.patience };
  if (response.statusCode !== 200) {
    throw await answerFailure(response, { ...context, credentials: request.credentials.kind === 'anonymous' ? 'no credentials were given' : 'the given credentials were sent' });
  }
  const body = await readCapped(response, 1 << 20, { patience: request.patience, host: realm.host, what: 'token' });
  const token = tokenIn(body);
  if (token === undefined) throw failure('failed-precondition', { ...context, why: 'its answer holds no token' });
  return token;
}

function realmOf({ challenge, origin }: TokenRequest): URL {
  const realm = challenge.parameters.get('realm') ?? '';
  const url = URL.parse(realm);
  const refuse = (why: string): Error => failure('failed-precondition', { act: 'get registry token for', object: origin, why: `the registry names the token service ${JSON.stringify(realm.slice(0, 200))}, ${why}` });
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw refuse('which is not a web address');
  if (url.protocol === 'http:' && origin.startsWith('https:')) throw refuse('which is not HTTPS as the registry is');
  return url;
}

function ask(realm: URL, parameters: URLSearchParams, credentials: Credentials): { url: URL; method: 'GET' | 'POST'; headers: OutgoingHttpHeaders; body?: string } {
  if (credentials.kind === 'identity-token') {
    parameters.set('grant_type', 'refresh_token');
    parameters.set('client_id', 'gantry');
    parameters.set('refresh_token', credentials.token);
    const body = parameters.toString();
    return { url: realm, method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }, body };
  }
  const url = new URL(realm);
  for (const [key, value] of parameters) url.searchParams.set(key, value);
  return { url, method: 'GET', headers: credentials.kind === 'basic' ? { authorization: basicAuthorization(credentials.username, credentials.password) } : {} };
}

function tokenIn(body: Buffer): string | undefined {
  try {
    const { token, access_token: accessToken } = JSON.parse(body.toString('utf8')) as { token?: unknown; access_token?: unknown };
    const found = [token, accessToken].find((value) => typeof value === 'string' && value !== '');
    // A line break would end the header that the token goes into.
    return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
