/** Telling the service manager that the daemon is alive, for as long as it answers. */
import type { Logger } from '../base/log.ts';
import type { Notifier } from '../host/notify.ts';

/**
 * Says `alive` twice in each period that the manager allows, but only after `answers` settled: a daemon whose engine
 * hangs falls silent and is restarted. An error is an answer. Does nothing when nobody watches.
 */
export function startWatchdog(notifier: Notifier, answers: () => Promise<unknown>, log: Logger): Disposable {
  const period = notifier.watchdogMs;
  if (period === undefined) return { [Symbol.dispose]() {} };

  let asking = false;
  async function ask(): Promise<void> {
    if (asking) {
      log.warn('engine did not answer the watchdog in time', { periodMs: period });
      return;
    }
    asking = true;
    await answers().catch((error: unknown) => log.debug('engine answered the watchdog with an error', { error }));
    asking = false;
    notifier.alive();
  }
  const timer = setInterval(() => void ask(), period / 2);
  void ask();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
