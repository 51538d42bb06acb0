/** Calls under one key share the one that is running: how a retried call joins the first instead of racing it. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Runs `work`, or joins the run in flight under this key; all callers get its result or its error. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const promise = work().finally(() => this.#running.delete(key));
    this.#running.set(key, promise);
    return promise;
  }

  /** True while a call under this key runs. */
  has(key: string): boolean {
    return this.#running.has(key);
  }
}
