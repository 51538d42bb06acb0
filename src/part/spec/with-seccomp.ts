import { failure } from '../../base/errors.ts';
import type { ContainerConfig, LinuxContainerSecurityContext } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { checkAbsolutePath, securityContextField } from './check-field.ts';
import { effectiveProfile } from './effective-profile.ts';
import type { Profile } from './effective-profile.ts';
import { compileSeccomp, parseSeccompProfile, seccompTarget } from './seccomp-profile.ts';

/**
 * The system call filter: the handler's default or else the node's (RuntimeDefault), a file of the node (Localhost), or none (Unconfined, not said at all, or privileged).
 * The default one lets through what the container's capabilities are for, so it is compiled after they are settled.
 */
export const withSeccomp: SpecStep = (spec, { config, facts, defaults, handler, localhostSeccomp }) => {
  const asked = askedProfile(config);
  if (asked === undefined || asked.kind === 'unconfined') return spec;
  const profile = asked.kind === 'runtime-default' ? handler.seccomp ?? defaults.seccomp : parseSeccompProfile(localhostSeccomp ?? missing(asked.reference), asked.reference);
  const seccomp = compileSeccomp(profile, seccompTarget(facts, spec.process.capabilities.bounding));
  return { ...spec, linux: { ...spec.linux, seccomp } };
};

/** The profile file that must be read for SpecInput.localhostSeccomp; undefined when the container needs none. */
export function localhostSeccompPath(config: ContainerConfig): string | undefined {
  const asked = askedProfile(config);
  return asked?.kind === 'localhost' ? asked.reference : undefined;
}

function askedProfile(config: ContainerConfig): Profile | undefined {
  const context = config.linux?.securityContext;
  if (context === undefined || context.privileged) return undefined;
  return withCheckedPath(context);
}

function withCheckedPath(context: LinuxContainerSecurityContext): Profile | undefined {
  const asked = effectiveProfile({
    field: `${securityContextField}.seccomp`,
    value: context.seccomp,
    oldField: `${securityContextField}.seccomp_profile_path`,
    oldValue: context.seccompProfilePath,
  });
  return asked?.kind === 'localhost' ? { ...asked, reference: checkAbsolutePath(asked.field, asked.reference) } : asked;
}

function missing(path: string): never {
  throw failure('failed-precondition', { act: 'read seccomp profile', object: path, why: 'there is no such file on this node' });
}
