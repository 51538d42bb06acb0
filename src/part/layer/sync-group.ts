/** Group commit: many callers who want the filesystem on disk share a sync, and none shares one that began before it asked. */
export class SyncGroup {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** Resolves when all that was written before this call is on disk. */
  async wait(): Promise<void> {
    if (this.#running === undefined) return await this.#begin();
    const running = this.#running;
    this.#next ??= running.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    await this.#next;
  }

  #begin(): Promise<void> {
    const run = this.#sync().finally(() => {
      if (this.#running === run) this.#running = undefined;
    });
    this.#running = run;
    return run;
  }
}
