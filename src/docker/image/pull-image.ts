import { failure, GantryError } from '../../base/errors.ts';
import type { ErrorKind } from '../../base/errors.ts';
import type { AuthConfig } from '../../gen/cri.ts';
import { credentialsFor } from '../../part/registry/credentials.ts';
import { formatReference, nameOf, parseReference } from '../../part/registry/reference.ts';
import type { ImageReference } from '../../part/registry/reference.ts';
import type { EngineApi } from '../api/engine-api.ts';
import { jsonLines } from '../api/read-lines.ts';
import { inspectImage } from './inspect-image.ts';
import type { PullProgress } from './pulls-in-flight.ts';

export interface PullRequest {
  /** As the kubelet wrote it. */
  readonly image: string;
  readonly auth: AuthConfig | undefined;
}

/** One line of what the Engine tells meanwhile. */
export interface ProgressLine {
  readonly id?: string;
  readonly status?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
}

/** How long the Engine may be silent: a slow registry, not a broken one. */
const silenceMs = 300_000;

/** Pulls what the reference names now and returns the image's id. The Engine's own settings say where from: mirrors, certificates, insecure registries. */
export async function pullImage(api: EngineApi, { image, auth }: PullRequest, { progress, signal }: { readonly progress: PullProgress; readonly signal: AbortSignal }): Promise<string> {
  const reference = parseReference(image);
  const act = { act: 'pull image', object: image };
  const quiet = new Silence(silenceMs);
  try {
    const lines = await api.stream({
      act, method: 'POST', path: '/images/create',
      query: { fromImage: nameOf(reference), tag: reference.digest ?? reference.tag },
      headers: { 'x-registry-auth': authHeader(reference, auth) },
      deadlineMs: silenceMs,
      signal: AbortSignal.any([signal, quiet.signal]),
    });
    for await (const line of jsonLines<ProgressLine>(lines)) {
      quiet.broken();
      if (line.error !== undefined) throw pullFailure(act, line.error);
      progress.heard(line);
    }
  } catch (error) {
    if (signal.aborted) throw failure('cancelled', { ...act, why: 'the caller went away', cause: error });
    if (quiet.signal.aborted) throw failure('unavailable', { ...act, why: `the Docker Engine has told nothing of it for ${silenceMs / 1000} s`, cause: error });
    throw error instanceof GantryError && error.kind !== 'unavailable' && error.why !== undefined ? pullFailure(act, error.why) : error;
  } finally {
    quiet.end();
  }
  const found = await inspectImage(api, formatReference(reference));
  if (found === undefined) throw failure('unavailable', { ...act, why: 'it was pulled, and somebody removed it at once' });
  return found.Id;
}

/** What the Engine quotes of a registry, as a kind: it has one status for all of it. */
const causes: readonly { readonly words: RegExp; readonly kind: ErrorKind; readonly criReason?: string }[] = [
  { words: /unauthorized|denied|authentication required|forbidden|no basic auth/i, kind: 'failed-precondition' },
  { words: /manifest unknown|not found|does not exist|no matching manifest/i, kind: 'not-found' },
  { words: /toomanyrequests|rate limit/i, kind: 'resource-exhausted' },
  { words: /no such host|refused|timeout|timed out|unreachable|EOF|reset by peer|Client\.Timeout|server misbehaving|received unexpected HTTP status: 5/i, kind: 'unavailable', criReason: 'RegistryUnavailable' },
];

function pullFailure(act: { act: string; object: string }, text: string): GantryError {
  const cause = causes.find(({ words }) => words.test(text));
  const words = text.replace(/^the Docker Engine says: /, '');
  return failure(cause?.kind ?? 'failed-precondition', { ...act, why: `the Docker Engine says: ${words}`, ...(cause?.criReason === undefined ? {} : { criReason: cause.criReason }) });
}

/** The Engine's `X-Registry-Auth` (API reference, "Authentication"): base64url of JSON, `{}` for nobody. */
export function authHeader(reference: ImageReference, auth: AuthConfig | undefined): string {
  const credentials = credentialsFor(reference.host, auth);
  const said = credentials.kind === 'basic' ? { username: credentials.username, password: credentials.password, serveraddress: reference.host }
    : credentials.kind === 'identity-token' ? { identitytoken: credentials.token, serveraddress: reference.host }
      : credentials.kind === 'registry-token' ? { registrytoken: credentials.token } : {};
  return Buffer.from(JSON.stringify(said)).toString('base64url');
}

/** Aborts when nothing was heard for so long. */
class Silence {
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#abort.abort(), ms);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  broken(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
