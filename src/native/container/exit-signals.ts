/** Who waits for a container's end is woken when its record says so. */
export class ExitSignals {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Tells all who wait for this container. */
  announce(id: string): void {
    for (const wake of this.#waiting.get(id) ?? []) wake();
    this.#waiting.delete(id);
  }

  /** True when the container's end was announced within `timeoutMs`, false when the time passed or `signal` was aborted. */
  wait(id: string, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const waiters = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiters);
      const finish = (ended: boolean): void => {
        clearTimeout(timer);
        waiters.delete(wake);
        signal?.removeEventListener('abort', abort);
        resolve(ended);
      };
      const wake = (): void => finish(true);
      const abort = (): void => finish(false);
      const timer = setTimeout(() => finish(false), timeoutMs);
      waiters.add(wake);
      if (signal?.aborted === true) abort();
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}
