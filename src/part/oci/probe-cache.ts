import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind, messageOf } from '../../base/errors.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { RuntimeProbe } from './runtime-probe.ts';

export type Probed = RuntimeProbe | { readonly error: string };

/**
 * A command is asked once: again when its program was replaced or taken away (by its file's identity), or when it failed. One that hangs is asked
 * in the background, while what was known is told: a handler that hangs must not hold up the status of the node.
 */
export class ProbeCache {
  readonly #patienceMs: number;
  readonly #known = new Map<string, { readonly program: string; readonly probe: RuntimeProbe }>();
  readonly #hung = new Map<string, Probed>();
  readonly #asking = new SingleFlight<Probed>();

  /** `patienceMs` is how long the first who asks waits for a program that hangs. */
  constructor({ patienceMs = 3_000 }: { readonly patienceMs?: number } = {}) {
    this.#patienceMs = patienceMs;
  }

  /** What the runtime can do, or why it is not known: within a moment, whatever the program does. Never throws. */
  async ask(runtime: OciRuntime): Promise<Probed> {
    const command = commandOf(runtime);
    const answer = this.answer(runtime);
    const known = this.#hung.get(command);
    if (known !== undefined) return known;
    const soon = new AbortController();
    const late = sleep(this.#patienceMs, undefined, { signal: soon.signal }).catch(() => undefined);
    const answered = await Promise.race([answer, late]);
    soon.abort();
    if (answered !== undefined) return answered;
    const silent = { error: `ask the version of ${runtime.path}: no answer in ${this.#patienceMs / 1000} s, and it is still waited for` };
    if (this.#asking.has(command) && !this.#hung.has(command)) this.#hung.set(command, silent);
    return silent;
  }

  /** The same, once the program has answered or is given up (10 s). */
  answer(runtime: OciRuntime): Promise<Probed> {
    const command = commandOf(runtime);
    return this.#asking.run(command, () => this.#askAnew(command, runtime));
  }

  async #askAnew(command: string, runtime: OciRuntime): Promise<Probed> {
    const program = await identityOf(runtime.path);
    const known = this.#known.get(command);
    if (known !== undefined && known.program === program) return known.probe;
    this.#known.delete(command);
    try {
      const probe = await runtime.probe();
      this.#known.set(command, { program, probe });
      this.#hung.delete(command);
      return probe;
    } catch (error) {
      const probed = { error: messageOf(error) };
      if (isKind(error, 'deadline-exceeded')) this.#hung.set(command, probed);
      else this.#hung.delete(command);
      return probed;
    }
  }
}

function commandOf({ command }: OciRuntime): string {
  return JSON.stringify([command.file, ...command.args]);
}

async function identityOf(program: string): Promise<string> {
  try {
    const { dev, ino, mtimeNs, mode } = await stat(program, { bigint: true });
    return [dev, ino, mtimeNs, mode].join();
  } catch {
    return ''; // asking it will say why
  }
}
