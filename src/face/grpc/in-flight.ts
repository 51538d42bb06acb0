import { failure } from '../../base/errors.ts';

/** What a usual request has; those of all methods at their limits are a few hundred megabytes at most. */
const smallBytes = 16_384;

/** How much is answered at a time. */
export interface InFlightLimits {
  /** Calls of one method. */
  readonly callsAMethod: number;
  /** The requests of all calls together, each of which is held in memory until its call is answered; and as much again for answers, until they are taken. */
  readonly bytes: number;
}

interface Entered {
  readonly name: string;
  readonly endless: boolean;
  readonly bytes: number;
  answerBytes: number;
}

/**
 * The calls that are being answered. Each method has a limit of its own, so that a caller who floods one (or one whose calls
 * hang on a stuck container) does not take the others away. A small request is never refused for the size of others.
 */
export class InFlight {
  readonly #limits: InFlightLimits;
  readonly #calls = new Map<AbortController, Entered>();
  readonly #byMethod = new Map<string, number>();
  #idle: (() => void)[] = [];
  #bytes = 0;
  #answerBytes = 0;

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#calls.size;
  }

  /** Counts a call and the `bytes` of its request until `leave`; over a limit it is resource-exhausted. */
  enter(method: { readonly name: string; readonly endless: boolean }, call: AbortController, bytes = 0): void {
    const now = this.#byMethod.get(method.name) ?? 0;
    if (now >= this.#limits.callsAMethod) {
      const why = `${now} such calls are being answered already; ask again when some are done`;
      throw failure('resource-exhausted', { act: method.name, why });
    }
    if (bytes > smallBytes && this.#bytes + bytes > this.#limits.bytes) {
      const why = `the requests that are being answered have ${this.#bytes} bytes, and with the ${bytes} of this one more than ${this.#limits.bytes}; ask again when some are done`;
      throw failure('resource-exhausted', { act: method.name, why });
    }
    this.#byMethod.set(method.name, now + 1);
    this.#bytes += bytes;
    this.#calls.set(call, { name: method.name, endless: method.endless, bytes, answerBytes: 0 });
  }

  /** Counts what a call sends now, until the client has taken it and there is other, or the call leaves; over the limit it is resource-exhausted. */
  holdAnswer(call: AbortController, bytes: number): void {
    const entered = this.#calls.get(call);
    if (entered === undefined) return;
    const others = this.#answerBytes - entered.answerBytes;
    if (bytes > smallBytes && others + bytes > this.#limits.bytes) {
      const why = `the answers that callers have not taken yet have ${others} bytes, and with the ${bytes} of this one more than ${this.#limits.bytes}; take them, or ask again later`;
      throw failure('resource-exhausted', { act: entered.name, why });
    }
    entered.answerBytes = bytes;
    this.#answerBytes = others + bytes;
  }

  /** Repeating it, or leaving without having entered, does nothing. */
  leave(call: AbortController): void {
    const method = this.#calls.get(call);
    if (method === undefined) return;
    this.#calls.delete(call);
    this.#bytes -= method.bytes;
    this.#answerBytes -= method.answerBytes;
    this.#byMethod.set(method.name, (this.#byMethod.get(method.name) ?? 1) - 1);
    if (this.#calls.size === 0) this.#idle.splice(0).forEach((tell) => tell());
  }

  abortAll(reason: Error): void {
    for (const call of this.#calls.keys()) call.abort(reason);
  }

  /** Aborts the calls that only their caller would end. */
  abortEndless(reason: Error): void {
    for (const [call, { endless }] of this.#calls) if (endless) call.abort(reason);
  }

  /** Resolves once nothing is being answered. */
  idle(): Promise<void> {
    return this.#calls.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }
}
