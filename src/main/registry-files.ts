import type { Config } from '../base/config/schema.ts';
import type { RegistryFiles } from '../part/registry/pull-plan.ts';

/** The files of a configuration that say something about registries. */
export function registryFiles({ registriesConf, registry }: Pick<Config, 'registriesConf' | 'registry'>): RegistryFiles {
  return { registriesConf, hostsDirs: registry.hostsDirs, dockerDaemonJson: registry.dockerDaemonJson, authFiles: registry.authFiles };
}
