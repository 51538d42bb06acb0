/** What every session has, whatever it does and whatever carries it: a signal that ends it, a watch over silence, and its line in the log. */
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { StreamEngine } from '../../engine/stream-engine.ts';

/** What sessions need of the daemon. Times in milliseconds. */
export interface SessionDeps {
  readonly engine: StreamEngine;
  readonly log: Logger;
  /** A session over which nothing went for so long is ended. */
  readonly idleMs: number;
  /** How long a client may take to open the streams it asked for. */
  readonly creationMs: number;
}

/**
 * How often a client is asked whether it is there. Its going away is not seen while its bytes are not read, as those of a client whose program
 * takes no input: only what is written then comes back as an error.
 */
const heartbeatMs = 10_000;

/** The life of one session. Ending it more than once does nothing: the first reason counts. */
export class Session {
  readonly act: string;
  readonly object: string;
  readonly engine: StreamEngine;
  readonly creationMs: number;
  readonly ctx: CallContext;
  readonly #abort = new AbortController();
  readonly #idleMs: number;
  #lastData = performance.now();

  constructor({ id, act, object }: { id: string; act: string; object: string }, deps: SessionDeps) {
    this.act = act;
    this.object = object;
    this.engine = deps.engine;
    this.creationMs = deps.creationMs;
    this.#idleMs = deps.idleMs;
    const stages = new Stages();
    this.ctx = { id, signal: this.#abort.signal, stages, log: deps.log.with({ session: id, act, object }) };
  }

  /** Data came or left. */
  touch(): void {
    this.#lastData = performance.now();
  }

  end(reason: GantryError): void {
    this.#abort.abort(reason);
  }

  /** The client closed the connection. */
  clientGone(): void {
    this.end(this.failure('cancelled', 'the client went away'));
  }

  failure(kind: Parameters<typeof failure>[0], why: string): GantryError {
    return failure(kind, { act: this.act, object: this.object, why });
  }

  /** Ends the session when nothing goes over it, and has `heartbeat` called now and then. Returns what stops that. */
  watch(heartbeat: () => void): () => void {
    const timer = setInterval(() => {
      const silentMs = performance.now() - this.#lastData;
      if (silentMs >= this.#idleMs) this.end(this.failure('deadline-exceeded', `nothing went over it for ${Math.round(this.#idleMs / 1000)} s`));
      else heartbeat();
    }, Math.min(heartbeatMs, this.#idleMs / 2));
    timer.unref();
    return () => clearInterval(timer);
  }
}

/** Waits for `promise`, but no longer than the client has to open its streams. */
export async function inCreationTime<T>(session: Session, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(session.failure('deadline-exceeded', `the client did not open its streams within ${session.creationMs / 1000} s`)), session.creationMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
