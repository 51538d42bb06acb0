/** SIGHUP: the configuration read again, and applied as a whole or not at all. */
import { readConfig } from '../base/config/load.ts';
import type { ConfigSources, LoadedConfig } from '../base/config/load.ts';
import type { Config } from '../base/config/schema.ts';
import { applyLive, assemble, changesBetween } from '../base/config/values.ts';
import type { Change } from '../base/config/values.ts';
import type { Logger } from '../base/log.ts';
import type { Notifier } from '../host/notify.ts';

export interface ReloadDeps {
  readonly sources: ConfigSources;
  readonly log: Logger;
  readonly notifier: Notifier;
  /** Applies a configuration that differs from the one in force only in settings that apply live; when it throws, nothing may have changed. */
  apply(config: Config): Promise<void>;
}

/**
 * Makes the function that reloads. It reads and checks everything first; a fault changes nothing and is logged.
 * Settings that need a restart keep their values and are named in the log. `apply` runs even when no value changed, as files
 * that the configuration names (registries.conf) may have.
 */
export function reloader(started: LoadedConfig, { sources, log, notifier, apply }: ReloadDeps): () => Promise<void> {
  let current = started.entries;

  async function reload(): Promise<void> {
    const { loaded, problems, warnings } = await readConfig(sources);
    for (const warning of warnings) log.warn(warning);
    if (loaded === undefined) {
      log.error('reload refused, nothing changed', { problems });
      return;
    }
    const changes = changesBetween(current, loaded.entries);
    const next = applyLive(current, loaded.entries);
    try {
      await apply(assemble(next));
    } catch (error) {
      log.error('reload failed, nothing changed', { error });
      return;
    }
    current = next;
    report(changes, log);
  }

  return async () => {
    notifier.reloading();
    await reload();
    notifier.ready();
  };
}

function report(changes: readonly Change[], log: Logger): void {
  const told = (applies: Change['applies']) => changes.filter((change) => change.applies === applies).map(({ key, from, to }) => `${key}: ${from ?? 'nothing'} -> ${to ?? 'nothing'}`);
  log.info('configuration reloaded', { changed: told('live') });
  const waiting = told('restart');
  if (waiting.length > 0) log.warn('changes that only a restart applies', { waiting });
}
