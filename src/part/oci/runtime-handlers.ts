/** The runtime handlers of this node: the name that a RuntimeClass gives, and the OCI runtime behind it. */
import { failure } from '../../base/errors.ts';
import type { OciRuntime } from './oci-runtime.ts';

export class RuntimeHandlers {
  #runtimes: ReadonlyMap<string, OciRuntime>;
  #defaultName: string;

  /** A default that is none of the handlers is invalid-argument. A handler whose program is missing fails only its own pods. */
  constructor(runtimes: readonly OciRuntime[], defaultName: string) {
    this.#runtimes = new Map(runtimes.map((runtime) => [runtime.name, runtime]));
    this.#defaultName = defaultName;
    this.get(defaultName);
  }

  /** The runtime of a handler; the empty name is the default one. Unknown: invalid-argument, listing the known ones. */
  get(name: string): OciRuntime {
    const runtime = this.#runtimes.get(name === '' ? this.#defaultName : name);
    if (runtime !== undefined) return runtime;
    throw failure('invalid-argument', { act: 'find runtime handler', object: JSON.stringify(name), why: `known are ${[...this.#runtimes.keys()].join(', ') || 'none'}` });
  }

  /** Takes over the handlers of a reloaded configuration; runtimes that calls hold already go on. */
  replace(next: RuntimeHandlers): void {
    this.#runtimes = next.#runtimes;
    this.#defaultName = next.#defaultName;
  }

  all(): readonly OciRuntime[] {
    return [...this.#runtimes.values()];
  }
}
