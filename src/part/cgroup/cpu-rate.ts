/** CPU use per second from two readings of a counter. */

interface Sample {
  readonly at: bigint;
  readonly usageNs: bigint;
}

/** Readings closer together than this give the rate of the window before: scheduling noise would rule a shorter one. */
const minWindowNs = 1_000_000_000n;

/** The rates of many cgroups, by id. */
export class CpuRates {
  readonly #windows = new Map<string, { from: Sample; rate: bigint | undefined }>();

  /**
   * Takes a reading (nanoseconds since 1970, CPU nanoseconds) and returns nanocores: CPU nanoseconds per second since the last
   * window. Undefined until there are two readings a second apart, and after a counter that went backwards.
   */
  rate(id: string, at: bigint, usageNs: bigint): bigint | undefined {
    const window = this.#windows.get(id);
    if (window === undefined || usageNs < window.from.usageNs || at < window.from.at) {
      this.#windows.set(id, { from: { at, usageNs }, rate: undefined });
      return undefined;
    }
    const length = at - window.from.at;
    if (length < minWindowNs) return window.rate;
    const rate = ((usageNs - window.from.usageNs) * 1_000_000_000n) / length;
    this.#windows.set(id, { from: { at, usageNs }, rate });
    return rate;
  }

  /** Drops a cgroup that is gone. */
  forget(id: string): void {
    this.#windows.delete(id);
  }
}
