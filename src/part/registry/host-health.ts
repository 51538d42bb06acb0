/** What pulls have learnt about hosts that do not answer, shared by all of them: a dead mirror costs one pull its patience, not every layer of every pull. */

interface Illness {
  readonly until: number;
  readonly pauseMs: number;
}

const firstPauseMs = 30_000;
const longestPauseMs = 10 * 60_000;

export class HostHealth {
  readonly #ill = new Map<string, Illness>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The host could not be reached, broke off, or answered with a fault of its own. Each time in a row it rests twice as long. */
  failed(address: string): void {
    const known = this.#ill.get(address);
    if (known !== undefined && known.until > this.#now()) return;
    const pauseMs = known === undefined ? firstPauseMs : Math.min(known.pauseMs * 2, longestPauseMs);
    this.#ill.set(address, { until: this.#now() + pauseMs, pauseMs });
  }

  succeeded(address: string): void {
    this.#ill.delete(address);
  }

  /** Seconds that the host still rests; 0 when it is well. */
  restsFor(address: string): number {
    return Math.max(0, Math.ceil(((this.#ill.get(address)?.until ?? 0) - this.#now()) / 1000));
  }

  /** The same hosts, those that rest behind the others: asked only when the others have failed. */
  order<T>(items: readonly T[], addressOf: (item: T) => string): T[] {
    const rests = (item: T): boolean => this.restsFor(addressOf(item)) > 0;
    return [...items.filter((item) => !rests(item)), ...items.filter(rests)];
  }
}
