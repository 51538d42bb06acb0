import { failure } from '../../base/errors.ts';
import type { LinuxContainerSecurityContext } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { badField, quote, securityContextField } from './check-field.ts';
import { effectiveProfile } from './effective-profile.ts';

/**
 * The AppArmor profile that the node's administrator loaded and the pod names (Localhost). RuntimeDefault and Unconfined are no profile.
 * A profile asked for on a node without AppArmor is failed-precondition: running unconfined instead would be a lie.
 */
export const withAppArmor: SpecStep = (spec, { config, facts }) => {
  const context = config.linux?.securityContext;
  const profile = context === undefined || context.privileged ? undefined : localhostProfile(context);
  if (profile === undefined) return spec;
  if (!facts.apparmor) throw failure('failed-precondition', { act: 'confine with AppArmor profile', object: quote(profile), why: 'AppArmor is not enabled on this node' });
  return { ...spec, process: { ...spec.process, apparmorProfile: profile } };
};

function localhostProfile(context: LinuxContainerSecurityContext): string | undefined {
  const asked = effectiveProfile({ field: `${securityContextField}.apparmor`, value: context.apparmor, oldField: `${securityContextField}.apparmor_profile`, oldValue: context.apparmorProfile });
  if (asked?.kind !== 'localhost') return undefined;
  // The name is written to /proc/self/attr/exec, where white space ends it and `//&` stacks profiles.
  if (!/^[^\s\0]{1,4000}$/.test(asked.reference)) throw badField(asked.field, `${quote(asked.reference)} is no name of an AppArmor profile`);
  return asked.reference;
}
