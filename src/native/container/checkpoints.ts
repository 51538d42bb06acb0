import { failure } from '../../base/errors.ts';

interface Running {
  readonly containers: readonly string[];
  readonly stop: AbortController;
  readonly over: Promise<void>;
}

/** The checkpoints that are being taken. A container has one at a time, and is not ended under it: it may be frozen. */
export class Checkpoints {
  readonly #running = new Map<string, Running>();

  /** Whether this id is that of a checkpoint in the making, under which its effects are on the ledger. */
  has(id: string): boolean {
    return this.#running.has(id);
  }

  /** Counts `work` as the checkpoint `id` of these containers until it has settled, its undo included. One that has another already: failed-precondition. */
  async run<T>({ id, containers }: { readonly id: string; readonly containers: readonly string[] }, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    const taken = containers.find((container) => this.#of(container) !== undefined);
    if (taken !== undefined) throw failure('failed-precondition', { act: 'checkpoint container', object: taken, why: 'another checkpoint of it is being taken: try again when that is done' });
    const stop = new AbortController();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#running.set(id, { containers, stop, over });
    try {
      return await work(stop.signal);
    } finally {
      this.#running.delete(id);
      resolve();
    }
  }

  /** Breaks off the checkpoint of a container that is about to be ended, and returns when it can be: nothing of it is frozen then. */
  async end(container: string): Promise<void> {
    const running = this.#of(container);
    if (running === undefined) return;
    running.stop.abort();
    await running.over;
  }

  #of(container: string): Running | undefined {
    return [...this.#running.values()].find(({ containers }) => containers.includes(container));
  }
}
