/** The kubelet's AuthConfig (CRI api.proto, AuthConfig) as credentials for one registry. */
import { failure } from '../../base/errors.ts';
import type { AuthConfig } from '../../gen/cri.ts';

export type Credentials =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, to be exchanged at the registry's token service. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A bearer token to be sent as it is. */
  | { readonly kind: 'registry-token'; readonly token: string };

const dockerHub = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/**
 * Credentials for the registry `host`. The most specific thing given wins: registry token, identity token, username and password, `auth`.
 * Given for another server they are not used: anonymous. A malformed `auth`: invalid-argument (its content is never shown).
 */
export function credentialsFor(host: string, auth: AuthConfig | undefined): Credentials {
  if (auth === undefined || !(auth.serverAddress === '' || isSameRegistry(auth.serverAddress, host))) return { kind: 'anonymous' };
  if (auth.registryToken !== '') return { kind: 'registry-token', token: auth.registryToken };
  if (auth.identityToken !== '') return { kind: 'identity-token', token: auth.identityToken };
  if (auth.username !== '') return { kind: 'basic', username: auth.username, password: auth.password };
  if (auth.auth === '') return { kind: 'anonymous' };
  const decoded = decodeAuth(auth.auth);
  if (decoded === undefined) throw failure('invalid-argument', { act: 'read registry credentials', why: 'auth is not base64 of user:password' });
  return decoded;
}

/** The value of an HTTP `Authorization: Basic` header (RFC 7617). */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Whether a server's name as people and files write it (with a scheme, with a path, Docker Hub under any of its names) means this registry host. */
export function isSameRegistry(serverAddress: string, host: string): boolean {
  const server = serverAddress.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
  return server === host || (dockerHub.has(server) && dockerHub.has(host));
}

/** As `docker login` stores it: base64 of user:password; old clients padded it with NUL bytes. Undefined when it is not that. */
export function decodeAuth(auth: string): Credentials | undefined {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { kind: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1) };
}
