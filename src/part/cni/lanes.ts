/** Who may run at the same time (CNI spec section 3, "Lifecycle & Ordering"). */

/**
 * Work of one key runs in the order it came, different keys at once, and work that wants to be alone runs with
 * nothing beside it. First come, first served. Whoever waits, waits as long as those before it take, so all work has a deadline of its own.
 */
export class Lanes {
  readonly #last = new Map<string, Promise<unknown>>();
  #lastAlone: Promise<unknown> = Promise.resolve();

  inLane<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = Promise.allSettled([this.#last.get(key), this.#lastAlone]).then(work);
    this.#last.set(key, turn);
    const leave = (): void => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    };
    turn.then(leave, leave);
    return turn;
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = Promise.allSettled([...this.#last.values(), this.#lastAlone]).then(work);
    this.#lastAlone = turn.catch(() => undefined);
    return turn;
  }
}
