/** Giving memory back to the node after a burst of work: V8 and glibc keep what was needed once, as if the next burst came at once. */
import type { Logger } from '../base/log.ts';
import { libc } from '../host/libc.ts';

const lookMs = 15_000;
/** Of one processor, over the time between two looks. Quieter than that is a node where nothing happens but probes. */
const busyShare = 0.1;

/** A daemon that grew by less (bytes) since the last time has nothing to give that is worth the search. */
const worthwhileBytes = 16 << 20;

export interface MemoryReturnDeps {
  /** Processor time that this process has used so far, in milliseconds. */
  cpuMs(): number;
  /** Its resident memory, in bytes. */
  resident(): number;
  /** Gives back all that is free. */
  give(): Promise<void>;
}

/** Acts in the first quiet after the daemon has grown; what starting took counts too. */
export class MemoryReturn {
  readonly #deps: MemoryReturnDeps;
  #cpuMs: number;
  /** What it came down to, when last it was quiet. */
  #least = 0;

  constructor(deps: MemoryReturnDeps) {
    this.#deps = deps;
    this.#cpuMs = deps.cpuMs();
  }

  /** To be called every `periodMs`. */
  async look(periodMs: number): Promise<void> {
    const cpuMs = this.#deps.cpuMs();
    const busy = cpuMs - this.#cpuMs >= busyShare * periodMs;
    this.#cpuMs = cpuMs;
    if (busy) return;
    if (this.#deps.resident() >= this.#least + worthwhileBytes) {
      await this.#deps.give();
      this.#least = this.#deps.resident();
    }
    this.#least = Math.min(this.#least, this.#deps.resident());
  }
}

/** Looks now and then, for as long as it is not disposed. */
export function startMemoryReturn(log: Logger): Disposable {
  const memory = new MemoryReturn({
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    resident: () => process.memoryUsage.rss(),
    give: () => giveBack(log),
  });
  const look = async (): Promise<void> => await memory.look(lookMs).catch((error: unknown) => log.warn('free memory could not be given back', { error }));
  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * V8 keeps the empty pages of its heap until a collection that is for memory alone, which takes some 50 ms; it has one only where bin/gantry started
 * it. glibc keeps what lies between pieces in use: read buffers, above all.
 */
async function giveBack(log: Logger): Promise<void> {
  const [began, before] = [performance.now(), process.memoryUsage.rss()];
  gc?.({ type: 'major', flavor: 'last-resort', execution: 'sync' });
  const collectMs = Math.round(performance.now() - began);
  await libc.mallocTrimAside();
  log.debug('gave free memory back', { bytes: before - process.memoryUsage.rss(), collectMs });
}
