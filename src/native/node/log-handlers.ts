import type { Logger } from '../../base/log.ts';
import type { ProbeCache } from '../../part/oci/probe-cache.ts';
import type { RuntimeHandlers } from '../../part/oci/runtime-handlers.ts';

/** Asks every handler and logs what each can do: a missing default keeps the node from being ready, any other only its own pods from running. */
export async function logHandlers(probes: ProbeCache, handlers: RuntimeHandlers, log: Logger): Promise<void> {
  const standard = handlers.get('');
  await Promise.all(handlers.all().map(async (runtime) => {
    const probed = await probes.answer(runtime);
    const facts = { handler: runtime.name, path: runtime.path };
    if (!('error' in probed)) log.info('runtime handler', { ...facts, ...probed });
    else if (runtime === standard) log.error('the default runtime handler cannot run: the node is not ready', { ...facts, error: probed.error });
    else log.warn('runtime handler cannot run and is not offered', { ...facts, error: probed.error });
  }));
}
