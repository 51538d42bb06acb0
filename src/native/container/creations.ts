/** The containers that are being made: on the ledger already, not yet on record. */
interface Creation {
  readonly podId: string;
  readonly stop: AbortController;
  readonly over: Promise<void>;
}

export class Creations {
  readonly #running = new Map<string, Creation>();

  has(id: string): boolean {
    return this.#running.has(id);
  }

  /** Counts `work` as the making of this container until it has settled, its undo included. */
  async run<T>({ id, podId }: { id: string; podId: string }, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#running.set(id, { podId, stop, over });
    try {
      return await work(stop.signal);
    } finally {
      this.#running.delete(id);
      resolve();
    }
  }

  /** Breaks off what is being made in a pod, and returns when it is undone. What comes later is the caller's to keep away. */
  async endAllOf(podId: string): Promise<void> {
    const ending = [...this.#running.values()].filter((creation) => creation.podId === podId);
    for (const { stop } of ending) stop.abort();
    await Promise.all(ending.map(({ over }) => over));
  }
}
