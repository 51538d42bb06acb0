import { usualSignaturePolicy } from '../base/config/schema.ts';
import type { Config } from '../base/config/schema.ts';
import type { TrustFiles } from '../native/image/check-policy.ts';
import type { RegistryFiles } from '../part/registry/pull-plan.ts';

/** The files of a configuration that say whose images are trusted. */
export function trustFiles({ signaturePolicy, registry }: Pick<Config, 'signaturePolicy' | 'registry'>): TrustFiles {
  return { policy: { path: signaturePolicy, optional: signaturePolicy === usualSignaturePolicy }, signatureStores: registry.signatureStoresDir };
}

/** The files of a configuration that say something about registries. */
export function registryFiles({ registriesConf, registry }: Pick<Config, 'registriesConf' | 'registry'>): RegistryFiles {
  return { registriesConf, hostsDirs: registry.hostsDirs, dockerDaemonJson: registry.dockerDaemonJson, authFiles: registry.authFiles };
}
