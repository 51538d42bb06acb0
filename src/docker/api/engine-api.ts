/**
 * The Docker Engine API over its unix socket. Requests, streams and upgraded connections; every failure is a GantryError with the act that the
 * request was for. Nothing is repeated: who asked knows what may be.
 */
import type { Duplex, Readable } from 'node:stream';
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';
import { failure, kindOf } from '../../base/errors.ts';
import { negotiate } from './api-version.ts';
import type { ApiVersion, EngineIdentity } from './api-version.ts';
import { connectionFailure, refusal } from './engine-failure.ts';
import type { Act } from './engine-failure.ts';

export interface EngineRequest {
  readonly act: Act;
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Without the version: `/containers/json`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly bytes?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole answer, of a stream for its beginning. Default: 60 s. */
  readonly deadlineMs?: number;
  /** Ends the request; only for those that may be left halfway. */
  readonly signal?: AbortSignal;
}

const usualDeadlineMs = 60_000;

export class EngineApi {
  readonly socket: string;
  readonly #pool: Pool;
  #identity: Promise<{ readonly identity: EngineIdentity; readonly version: ApiVersion }> | undefined;

  constructor(socket: string) {
    this.socket = socket;
    // Deadlines are ours: logs and events may be silent for days.
    this.#pool = new Pool('http://docker', { socketPath: socket, headersTimeout: 0, bodyTimeout: 0, pipelining: 1 });
  }

  /** The version spoken with this Engine, found out with the first call and after each loss of it. Errors: unavailable, failed-precondition. */
  async version(): Promise<ApiVersion> {
    return (await this.#negotiated()).version;
  }

  async identity(): Promise<EngineIdentity> {
    return (await this.#negotiated()).identity;
  }

  /** The Engine may be another one when it comes back. */
  forget(): void {
    this.#identity = undefined;
  }

  /** The answer's JSON; undefined where it has none. */
  async call<T = undefined>(request: EngineRequest): Promise<T> {
    const { signal, done } = deadlineOf(request);
    try {
      const body = await this.#send(request, signal);
      const text = await body.text();
      return (text === '' ? undefined : JSON.parse(text)) as T;
    } catch (error) {
      throw this.#failure(request, error, signal);
    } finally {
      done();
    }
  }

  /** The answer's bytes as they come. The deadline is for their beginning, the request's own signal for all of them. */
  async stream(request: EngineRequest): Promise<Readable> {
    const { signal, done } = deadlineOf(request);
    try {
      const body = await this.#send(request, signal);
      return body;
    } catch (error) {
      throw this.#failure(request, error, signal);
    } finally {
      done();
    }
  }

  /** A connection that is the container's streams from here on (API reference: "Stream format"). */
  async upgrade(request: EngineRequest): Promise<Duplex> {
    const { signal, done } = deadlineOf(request);
    try {
      const { socket } = await this.#pool.upgrade({ ...(await this.#options(request)), protocol: 'tcp', signal });
      return socket;
    } catch (error) {
      throw this.#failure(request, error, signal);
    } finally {
      done();
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #send(request: EngineRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData['body']> {
    const answer = await this.#pool.request({ ...(await this.#options(request)), signal });
    if (answer.statusCode < 400) return answer.body;
    throw refusal(request.act, { status: answer.statusCode, body: await answer.body.text() });
  }

  async #options({ method = 'GET', path, query = {}, json, bytes, headers = {} }: EngineRequest): Promise<Omit<Dispatcher.RequestOptions, 'signal'> & { method: string }> {
    const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
    const search = given.length === 0 ? '' : `?${new URLSearchParams(given as [string, string][]).toString()}`;
    return {
      method,
      path: `/v${await this.version()}${path}${search}`,
      headers: { ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(json === undefined ? bytes === undefined ? {} : { body: bytes } : { body: JSON.stringify(json) }),
    };
  }

  #negotiated(): Promise<{ readonly identity: EngineIdentity; readonly version: ApiVersion }> {
    this.#identity ??= this.#ask().catch((error: unknown) => {
      this.#identity = undefined;
      throw error;
    });
    return this.#identity;
  }

  async #ask(): Promise<{ readonly identity: EngineIdentity; readonly version: ApiVersion }> {
    const act: Act = { act: 'ask Docker Engine', object: this.socket };
    let identity: EngineIdentity;
    try {
      const answer = await this.#pool.request({ method: 'GET', path: '/version', signal: AbortSignal.timeout(usualDeadlineMs) });
      const body = await answer.body.text();
      if (answer.statusCode >= 400) throw refusal(act, { status: answer.statusCode, body });
      identity = JSON.parse(body) as EngineIdentity;
    } catch (error) {
      throw kindOf(error) === 'internal' ? connectionFailure(act, this.socket, error) : error;
    }
    return { identity, version: negotiate(identity) };
  }

  #failure(request: EngineRequest, error: unknown, signal: AbortSignal): unknown {
    if (error instanceof Error && error.name === 'GantryError') return error;
    if (request.signal?.aborted) return failure('cancelled', { ...request.act, why: 'the caller went away', cause: error });
    if (signal.aborted) return failure('deadline-exceeded', { ...request.act, why: `the Docker Engine did not answer within ${(request.deadlineMs ?? usualDeadlineMs) / 1000} s`, cause: error });
    this.forget();
    return connectionFailure(request.act, this.socket, error);
  }
}

/** The signal of a request: its own and its deadline's, which `done` takes off. */
function deadlineOf({ signal, deadlineMs = usualDeadlineMs }: EngineRequest): { signal: AbortSignal; done: () => void } {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), deadlineMs);
  return { signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]), done: () => clearTimeout(timer) };
}
