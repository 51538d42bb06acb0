/** Group commit: many callers who want the filesystem on disk share a sync, and none shares one that began before it asked. */
import { setImmediate } from 'node:timers/promises';

export class SyncGroup {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #lastFailure: { readonly error: unknown } | undefined;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /**
   * To be called before the first write. What it gives resolves when all that was written before *that* call is on disk. It rejects when any sync
   * since has failed, whoever asked for it: the kernel tells of what it could not write once, and takes it for clean then (syncfs(2), "NOTES").
   */
  writing(): () => Promise<void> {
    const before = this.#lastFailure;
    return async () => {
      await this.#wait();
      if (this.#lastFailure !== undefined && this.#lastFailure !== before) throw this.#lastFailure.error;
    };
  }

  /** All who ask in one turn of the event loop share, so that the layers of a pull, which are let go together, take one sync. */
  async #wait(): Promise<void> {
    this.#next ??= (this.#running?.catch(() => {}) ?? setImmediate()).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    await this.#next;
  }

  #begin(): Promise<void> {
    const run = this.#syncOnce().finally(() => {
      if (this.#running === run) this.#running = undefined;
    });
    this.#running = run;
    return run;
  }

  async #syncOnce(): Promise<void> {
    try {
      await this.#sync();
    } catch (error) {
      this.#lastFailure = { error };
      throw error;
    }
  }
}
