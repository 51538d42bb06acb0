import { failure } from '../../base/errors.ts';

/**
 * The calls that are being answered. Each method has a limit of its own, so that a caller who floods one (or one whose calls
 * hang on a stuck container) does not take the others away.
 */
export class InFlight {
  readonly #limit: number;
  readonly #calls = new Map<AbortController, string>();
  readonly #byMethod = new Map<string, number>();
  #idle: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#calls.size;
  }

  /** Counts a call until `leave`; over the method's limit it is resource-exhausted. */
  enter(method: string, call: AbortController): void {
    const now = this.#byMethod.get(method) ?? 0;
    if (now >= this.#limit) {
      const why = `${now} such calls are being answered already; ask again when some are done`;
      throw failure('resource-exhausted', { act: method, why });
    }
    this.#byMethod.set(method, now + 1);
    this.#calls.set(call, method);
  }

  /** Repeating it, or leaving without having entered, does nothing. */
  leave(call: AbortController): void {
    const method = this.#calls.get(call);
    if (method === undefined) return;
    this.#calls.delete(call);
    this.#byMethod.set(method, (this.#byMethod.get(method) ?? 1) - 1);
    if (this.#calls.size === 0) this.#idle.splice(0).forEach((tell) => tell());
  }

  abortAll(reason: Error): void {
    for (const call of this.#calls.keys()) call.abort(reason);
  }

  /** Resolves once nothing is being answered. */
  idle(): Promise<void> {
    return this.#calls.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }
}
