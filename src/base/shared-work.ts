/**
 * Work that several callers share: the second caller of a key joins the first. A caller that goes away stops waiting; the last one to
 * go aborts the work and sees it undone, and a caller who comes after that starts it afresh.
 */
import { failure } from './errors.ts';

interface Shared<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

export class SharedWork<T> {
  readonly #running = new Map<string, Shared<T>>();

  /** Runs `work`, or joins it when it runs; gives its result or its error. An aborted `signal`: cancelled. */
  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (signal.aborted) throw failure('cancelled', { act: 'wait for', object: key });
    const shared = this.#running.get(key) ?? this.#start(key, work);
    shared.waiting++;
    const gone = Promise.withResolvers<never>();
    const leave = (): void => gone.reject(failure('cancelled', { act: 'wait for', object: key }));
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([shared.result, gone.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      if (--shared.waiting === 0) {
        this.#end(key, shared);
        await shared.result.catch(() => {}); // done, or aborted just now and being undone
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Shared<T> {
    const stop = new AbortController();
    const result = work(stop.signal);
    const shared: Shared<T> = { result, stop, waiting: 0 };
    result.catch(() => {}).then(() => this.#end(key, shared));
    this.#running.set(key, shared);
    return shared;
  }

  #end(key: string, shared: Shared<T>): void {
    shared.stop.abort(); // means nothing to work that is done
    if (this.#running.get(key) === shared) this.#running.delete(key);
  }
}
