/** Where the bytes of an image come from: its reference after registries.conf and Docker Hub's naming had their say. */
import { failure } from '../../base/errors.ts';
import { findEntry, readRegistriesConf, relocate } from './registries-conf.ts';
import type { HostRule, HostRules } from './host-rules.ts';
import { nameOf } from './reference.ts';
import type { ImageReference } from './reference.ts';

export interface Endpoint {
  /** The registry's name in references and credentials. */
  readonly host: string;
  /** The host that answers for it. */
  readonly address: string;
  readonly repository: string;
  readonly rule: HostRule;
}

/** Reads `registriesConf` afresh, so that a change counts from the next pull on. A blocked registry: failed-precondition. */
export async function findEndpoint(reference: ImageReference, deps: { hostRules: HostRules; registriesConf?: string | undefined }): Promise<Endpoint> {
  const name = nameOf(reference);
  const entry = deps.registriesConf === undefined ? undefined : findEntry(await readRegistriesConf(deps.registriesConf), name);
  if (entry?.blocked === true) throw failure('failed-precondition', { act: 'pull image', object: name, why: `registry ${entry.prefix} is blocked in ${deps.registriesConf}` });

  const located = entry === undefined ? name : relocate(entry, name);
  const slash = located.indexOf('/');
  if (slash < 1) throw failure('failed-precondition', { act: 'pull image', object: name, why: `${deps.registriesConf} sends it to ${JSON.stringify(located)}, which has no repository` });
  const host = located.slice(0, slash);
  const rule: HostRule = entry?.insecure === true ? { schemes: ['https', 'http'], skipVerify: true } : deps.hostRules(host);
  return { host, address: host === 'docker.io' ? 'registry-1.docker.io' : host, repository: located.slice(slash + 1), rule };
}
