import { SingleFlight } from '../../base/single-flight.ts';

/** How many programs may ask at the same time: stats are wanted of all containers at once, and each answer takes a program. */
const atOnce = 4;

/**
 * The CPU times of containers in sandboxes, which the runtime's program tells one at a time. Who asks while somebody asks for the same container gets
 * the same answer; all others wait for their turn. A time never falls: what the sandbox says is a share of what it used itself, and falls when
 * a neighbour gets to work, which whoever takes it for a counter would read as a new start.
 */
export class SandboxCpuTimes {
  readonly #ask: (id: string) => Promise<bigint | undefined>;
  readonly #asking = new SingleFlight<bigint | undefined>();
  readonly #highest = new Map<string, bigint>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(ask: (id: string) => Promise<bigint | undefined>) {
    this.#ask = ask;
  }

  /** In nanoseconds; undefined when the sandbox does not tell. */
  of(id: string): Promise<bigint | undefined> {
    return this.#asking.run(id, async () => {
      const told = await this.#inTurn(() => this.#ask(id));
      if (told === undefined) return undefined;
      const highest = this.#highest.get(id) ?? 0n;
      const time = told > highest ? told : highest;
      this.#highest.set(id, time);
      return time;
    });
  }

  /** For a container that is removed. */
  forget(id: string): void {
    this.#highest.delete(id);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running === atOnce) await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next(); // takes over the place
    }
  }
}
