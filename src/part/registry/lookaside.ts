/** Signatures in a lookaside store: files beside a registry, in a folder or on a web server (containers-registries.d(5), signature-protocols). */
import type { IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { failure, GantryError, hasCode } from '../../base/errors.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import { Connections } from './http-exchange.ts';
import type { HostRules } from './host-rules.ts';
import { readCapped } from './pace.ts';
import type { Patience } from './pace.ts';
import { answerFailure } from './registry-answer.ts';

export interface LookasideRequest {
  /** Of the manifest's signatures; `/signature-1` and so on are below it. */
  readonly folder: URL;
  readonly ruleOf: HostRules;
  readonly patience: Patience;
  readonly limits: { readonly signatures: number; readonly bytes: number };
  readonly signal: AbortSignal;
}

const mostRedirects = 5;

/**
 * Reads one signature after the other until there is no more. Errors: unavailable for a server that can't be reached, failed-precondition for one that
 * refuses, a file that can't be read, and more or larger signatures than the limits.
 */
export async function readLookaside(request: LookasideRequest): Promise<Buffer[]> {
  const { folder, limits } = request;
  const connections = new Connections(request);
  const found: Buffer[] = [];
  try {
    for (;;) {
      const url = new URL(`${folder.href}/signature-${found.length + 1}`);
      const signature = url.protocol === 'file:' ? await readFileUrl(url, limits.bytes) : await getUrl(connections, url, request);
      if (signature === undefined) return found;
      if (found.length === limits.signatures) throw failure('failed-precondition', { act: 'read signatures', object: folder.href, why: `there are more than ${limits.signatures}` });
      found.push(signature);
    }
  } finally {
    connections.close();
  }
}

async function readFileUrl(url: URL, mostBytes: number): Promise<Buffer | undefined> {
  const path = fileURLToPath(url);
  try {
    return await fencedFiles.read(path, mostBytes);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw failure('failed-precondition', { act: 'read signature', object: path, cause });
  }
}

async function getUrl(connections: Connections, url: URL, { patience, limits, signal }: LookasideRequest): Promise<Buffer | undefined> {
  const response = await follow(connections, url, signal);
  const object = url.href;
  const host = url.host;
  if (response.statusCode === 200) return await readCapped(response, limits.bytes, { patience, host, what: `signature ${object}` });
  const error = await answerFailure(response, { act: 'get signature', object, host, patience, credentials: 'no credentials are sent to it' });
  if (error instanceof GantryError && error.kind === 'not-found') return undefined;
  throw error;
}

/** Where it is led to does not matter: what comes is worth what its signature is worth. */
async function follow(connections: Connections, start: URL, signal: AbortSignal): Promise<IncomingMessage> {
  let url = start;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const response = await connections.send({ url, headers: { 'accept-encoding': 'identity', 'user-agent': 'gantry' }, signal });
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) return response;
    response.destroy();
    const next = URL.parse(location, url.href);
    if (next === null || !['http:', 'https:'].includes(next.protocol)) break;
    url = next;
  }
  throw failure('unavailable', { act: 'get signature', object: start.href, why: `it is redirected more than ${mostRedirects} times or to no web address` });
}
