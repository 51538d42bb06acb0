/**
 * Debts: what is still there because it could not be taken away. Each is told once, with what it waits for, and once when it is
 * paid; between two tries there is a pause that doubles.
 */
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';

export interface Debt {
  /** The id of the pod, container or layer that it is a debt of. */
  readonly owner: string;
  /** What is still there: the kind of an effect on the ledger, or `container` for one that does not end. */
  readonly what: string;
  /** The sentence of the last try that failed. */
  readonly waitsFor: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly tries: number;
  /** Milliseconds since the epoch. */
  readonly nextTry: number;
}

/** Something on record that is to be undone, tried before or not. */
export interface Arrear {
  readonly owner: string;
  /** Undoes it; may be repeated, joins what is under way for this owner, and throws what it waits for. */
  pay(): Promise<void>;
}

const firstPauseMs = 1000;
const longestPauseMs = 300_000;

export class Debts {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #debts = new Map<string, Debt>();

  /** `now` is a clock in milliseconds since the epoch. */
  constructor({ log, now = Date.now }: { log: Logger; now?: () => number }) {
    this.#log = log;
    this.#now = now;
  }

  /** Notes a try that failed. `key` tells several debts of one owner apart. */
  owed(key: string, { owner, what }: Pick<Debt, 'owner' | 'what'>, error: unknown): void {
    const known = this.#debts.get(key);
    const tries = (known?.tries ?? 0) + 1;
    const waitsFor = messageOf(error);
    const nextTry = this.#now() + Math.min(firstPauseMs * 2 ** (tries - 1), longestPauseMs);
    this.#debts.set(key, { owner, what, waitsFor, since: known?.since ?? this.#now(), tries, nextTry });
    if (known === undefined) this.#log.warn('cannot undo this yet, it is tried again until it is gone', { owner, what, waitsFor });
  }

  /** Notes that it is gone; what was no debt is no news. */
  paid(key: string): void {
    const debt = this.#debts.get(key);
    if (debt === undefined) return;
    this.#debts.delete(key);
    this.#log.info('undone at last', { owner: debt.owner, what: debt.what, tries: debt.tries + 1, afterMs: this.#now() - debt.since });
  }

  has(key: string): boolean {
    return this.#debts.has(key);
  }

  /** Whether this owner's time has come: no try of it has failed, or the pause after the last one is over. */
  isDue(owner: string): boolean {
    const times = this.all().filter((debt) => debt.owner === owner).map(({ nextTry }) => nextTry);
    return times.length === 0 || Math.min(...times) <= this.#now();
  }

  /** The oldest first. */
  all(): Debt[] {
    return [...this.#debts.values()];
  }
}
