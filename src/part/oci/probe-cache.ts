import { stat } from 'node:fs/promises';
import { isKind, messageOf } from '../../base/errors.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { RuntimeProbe } from './runtime-probe.ts';

export type Probed = RuntimeProbe | { readonly error: string };

/**
 * A command is asked once: again when its program was replaced or taken away (by its file's identity), or when it failed. One that hung is asked again
 * in the background, while its last answer is told: a handler that hangs must not hold up the status of the node each time.
 */
export class ProbeCache {
  readonly #known = new Map<string, { readonly program: string; readonly probe: RuntimeProbe }>();
  readonly #hung = new Map<string, Probed>();
  readonly #asking = new SingleFlight<Probed>();

  /** What the runtime can do, or why it could not be asked. Never throws. */
  async ask(runtime: OciRuntime): Promise<Probed> {
    const command = JSON.stringify([runtime.command.file, ...runtime.command.args]);
    const answer = this.#asking.run(command, () => this.#askAnew(command, runtime));
    return this.#hung.get(command) ?? await answer;
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

async function identityOf(program: string): Promise<string> {
  try {
    const { dev, ino, mtimeNs, mode } = await stat(program, { bigint: true });
    return [dev, ino, mtimeNs, mode].join();
  } catch {
    return ''; // asking it will say why
  }
}
