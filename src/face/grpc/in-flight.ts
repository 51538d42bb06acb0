import { failure } from '../../base/errors.ts';

/**
 * The calls that are being answered. Each method has a limit of its own, so that a caller who floods one (or one whose calls
 * hang on a stuck container) does not take the others away.
 */
export class InFlight {
  readonly #limit: number;
  readonly #calls = new Map<AbortController, { readonly name: string; readonly endless: boolean }>();
  readonly #byMethod = new Map<string, number>();
  #idle: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#calls.size;
  }

  /** Counts a call until `leave`; over the method's limit it is resource-exhausted. */
  enter(method: { readonly name: string; readonly endless: boolean }, call: AbortController): void {
    const now = this.#byMethod.get(method.name) ?? 0;
    if (now >= this.#limit) {
      const why = `${now} such calls are being answered already; ask again when some are done`;
      throw failure('resource-exhausted', { act: method.name, why });
    }
    this.#byMethod.set(method.name, now + 1);
    this.#calls.set(call, method);
  }

  /** Repeating it, or leaving without having entered, does nothing. */
  leave(call: AbortController): void {
    const method = this.#calls.get(call);
    if (method === undefined) return;
    this.#calls.delete(call);
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
