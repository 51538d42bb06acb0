/**
 * Works off what is still to be undone, in the background: what a crash cut short, and what could not be undone when it should have
 * been. Each owner's recipes see to it that nothing of theirs is undone while they are at work.
 */
import { someAtOnce } from '../../base/some-at-once.ts';
import type { Arrear, Debts } from '../../part/store/debts.ts';

export interface ReconcilerDeps {
  /** In the order in which they are worked off: containers before the pods that hold them. Each gives the newest first. */
  readonly sources: readonly (() => Iterable<Arrear>)[];
  readonly debts: Debts;
  /** How often it is looked whether something is due. */
  readonly everyMs?: number;
}

export class Reconciler {
  readonly #deps: ReconcilerDeps;
  #round: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
  }

  /** Tries all that is due now, or all of the owners wanted, once, a few at a time; joins a round that is under way. What fails is a debt, never an error. */
  run(isWanted: (owner: string) => boolean = () => true): Promise<void> {
    this.#round ??= this.#tryAll(isWanted).finally(() => { this.#round = undefined; });
    return this.#round;
  }

  /** Does that from now on, again and again. */
  start(): void {
    this.#timer ??= setInterval(() => void this.run(), this.#deps.everyMs ?? 1000).unref();
  }

  /** Nothing is begun after this; what is at work goes on. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  async #tryAll(isWanted: (owner: string) => boolean): Promise<void> {
    for (const source of this.#deps.sources) {
      const due = [...source()].filter(({ owner }) => isWanted(owner) && this.#deps.debts.isDue(owner));
      await someAtOnce(due, async ({ pay }) => {
        if (!this.#closed) await pay().catch(() => {});
      });
    }
  }
}
