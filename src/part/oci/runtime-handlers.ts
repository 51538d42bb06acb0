/** The runtime handlers of this node: the name that a RuntimeClass gives, and the OCI runtime behind it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../../base/errors.ts';
import type { OciRuntime } from './oci-runtime.ts';

export class RuntimeHandlers {
  #offered: ReadonlyMap<string, OciRuntime>;
  #defaultName: string;
  #retired: ReadonlyMap<string, OciRuntime>;

  /**
   * A default that is none of the handlers is invalid-argument. A handler whose program is missing fails only its own pods. `retired` are not
   * in the configuration any more, and something of theirs is still there.
   */
  constructor(offered: readonly OciRuntime[], defaultName: string, retired: readonly OciRuntime[] = []) {
    this.#offered = byName(offered);
    this.#defaultName = defaultName;
    this.#retired = byName(retired);
    this.get(defaultName);
  }

  /** The runtime of a handler for a new pod; the empty name is the default one. Unknown: invalid-argument, listing the known ones. */
  get(name: string): OciRuntime {
    const runtime = this.#offered.get(name === '' ? this.#defaultName : name);
    if (runtime !== undefined) return runtime;
    throw failure('invalid-argument', { act: 'find runtime handler', object: JSON.stringify(name), why: `known are ${[...this.#offered.keys()].join(', ') || 'none'}` });
  }

  /** As `get`, once its program has said what it is. Unavailable when it has not within 10 s. */
  async known(name: string, patienceMs = 10_000): Promise<OciRuntime> {
    const end = performance.now() + patienceMs;
    let runtime = this.get(name);
    while (runtime.isGuess && performance.now() < end) {
      await sleep(20);
      runtime = this.get(name);
    }
    if (!runtime.isGuess) return runtime;
    throw failure('unavailable', { act: 'use runtime handler', object: runtime.name, why: `${runtime.path} does not answer --version, so that it is not known which runtime it is` });
  }

  /** The runtime of a pod or container that exists: a handler that is not offered any more goes on with what it has made. */
  find(name: string): OciRuntime | undefined {
    return this.#offered.get(name) ?? this.#retired.get(name);
  }

  /** As `find`; failed-precondition for one that nobody knows. */
  of(name: string): OciRuntime {
    const runtime = this.find(name);
    if (runtime !== undefined) return runtime;
    throw failure('failed-precondition', { act: 'find runtime handler', object: JSON.stringify(name), why: `it was taken out of the configuration: put [runtime.handlers.${name}] back, or remove what it runs` });
  }

  /** Takes over the handlers of a reloaded configuration. Those that it lacks are retired. */
  replace(next: RuntimeHandlers): void {
    this.#retired = new Map([...this.#retired, ...this.#offered]);
    this.#offered = next.#offered;
    this.#defaultName = next.#defaultName;
  }

  /** Puts in `known` for the guess that it is better than. A guess that a reload has replaced is nobody's any more. */
  settle(guess: OciRuntime, known: OciRuntime): void {
    const settled = (runtimes: ReadonlyMap<string, OciRuntime>) => byName([...runtimes.values()].map((runtime) => (runtime === guess ? known : runtime)));
    this.#offered = settled(this.#offered);
    this.#retired = settled(this.#retired);
  }

  /** Those that are offered to new pods. */
  all(): readonly OciRuntime[] {
    return [...this.#offered.values()];
  }
}

function byName(runtimes: readonly OciRuntime[]): ReadonlyMap<string, OciRuntime> {
  return new Map(runtimes.map((runtime) => [runtime.name, runtime]));
}
