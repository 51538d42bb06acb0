import { failure } from '../../base/errors.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { badField, quote, securityContextField } from './check-field.ts';
import { effectiveProfile } from './effective-profile.ts';
import type { Profile } from './effective-profile.ts';

/** What of AppArmor a container's spec depends on; gathered for what askedAppArmor says. */
export interface AppArmorState {
  /** The loaded profile for RuntimeDefault; undefined where the node has none. */
  readonly defaultProfile: string | undefined;
  /** The names of the profiles that the kernel has, for Localhost. */
  readonly loaded: ReadonlySet<string>;
}

/**
 * The AppArmor profile: the default one (RuntimeDefault, or nothing said), one that the node's administrator loaded (Localhost), or none
 * (Unconfined, or privileged). On a node without AppArmor the default is without effect, but a profile asked for by name that cannot be applied
 * is failed-precondition: running unconfined instead would be a lie.
 */
export const withAppArmor: SpecStep = (spec, { config, apparmor }) => {
  const asked = askedAppArmor(config);
  const profile = asked.kind === 'localhost' ? loaded(asked.reference, apparmor) : asked.kind === 'runtime-default' ? apparmor?.defaultProfile : undefined;
  return profile === undefined ? spec : { ...spec, process: { ...spec.process, apparmorProfile: profile } };
};

/** What a container asks for; the CRI takes nothing said for RuntimeDefault, and confines no privileged container. */
export function askedAppArmor(config: ContainerConfig): Profile {
  const context = config.linux?.securityContext;
  if (context?.privileged) return { kind: 'unconfined' };
  const field = `${securityContextField}.apparmor`;
  const oldField = `${securityContextField}.apparmor_profile`;
  const asked = effectiveProfile({ field, value: context?.apparmor, oldField, oldValue: context?.apparmorProfile ?? '' });
  // The name is written to /proc/self/attr/exec, where white space ends it and `//&` stacks profiles.
  if (asked?.kind === 'localhost' && !/^[^\s\0]{1,4000}$/.test(asked.reference)) throw badField(asked.field, `${quote(asked.reference)} is no name of an AppArmor profile`);
  return asked ?? { kind: 'runtime-default' };
}

function loaded(profile: string, apparmor: AppArmorState | undefined): string {
  const refusal = (why: string): Error => failure('failed-precondition', { act: 'confine with AppArmor profile', object: quote(profile), why });
  if (apparmor === undefined) throw refusal('AppArmor is not enabled on this node');
  if (!apparmor.loaded.has(profile)) throw refusal('it is not loaded on this node; load it with apparmor_parser');
  return profile;
}
