/** What the OCI runtimes behind the handlers can do, each asked once. */
import { stat } from 'node:fs/promises';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';
import type { RuntimeProbe } from '../../part/oci/runtime-probe.ts';

export type Probed = RuntimeProbe | { readonly error: string };

/** A command is asked once: again when its program was replaced or taken away (by its file's identity), or when it failed. */
export class RuntimeProbes {
  readonly #known = new Map<string, { readonly program: string; readonly probe: RuntimeProbe }>();
  readonly #asking = new SingleFlight<Probed>();

  probe(runtime: OciRuntime): Promise<Probed> {
    const command = JSON.stringify([runtime.command.file, ...runtime.command.args]);
    return this.#asking.run(command, async () => {
      const program = await identityOf(runtime.path);
      const known = this.#known.get(command);
      if (known !== undefined && known.program === program) return known.probe;
      this.#known.delete(command);
      try {
        const probe = await runtime.probe();
        this.#known.set(command, { program, probe });
        return probe;
      } catch (error) {
        return { error: messageOf(error) };
      }
    });
  }
}

/** Asks every handler and logs what each can do: a missing default keeps the node from being ready, any other only its own pods from running. */
export async function logHandlers(probes: RuntimeProbes, handlers: RuntimeHandlers, log: Logger): Promise<void> {
  const standard = handlers.get('');
  await Promise.all(handlers.all().map(async (runtime) => {
    const probed = await probes.probe(runtime);
    const facts = { handler: runtime.name, path: runtime.path };
    if (!('error' in probed)) log.info('runtime handler', { ...facts, ...probed });
    else if (runtime === standard) log.error('the default runtime handler cannot run: the node is not ready', { ...facts, error: probed.error });
    else log.warn('runtime handler cannot run and is not offered', { ...facts, error: probed.error });
  }));
}

async function identityOf(program: string): Promise<string> {
  try {
    const { dev, ino, mtimeNs, mode } = await stat(program, { bigint: true });
    return [dev, ino, mtimeNs, mode].join();
  } catch {
    return ''; // asking it will say why
  }
}
