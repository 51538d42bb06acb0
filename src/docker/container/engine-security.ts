import type { ContainerConfig, LinuxContainerSecurityContext, PodSandboxConfig } from '../../gen/cri.ts';
import { badField, checkAbsolutePath, checkId, securityContextField } from '../../part/spec/check-field.ts';
import type { ContainerDefaults } from '../../part/spec/container-defaults.ts';
import { effectiveProfile } from '../../part/spec/effective-profile.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import { askedAppArmor } from '../../part/spec/with-apparmor.ts';
import { chosenCapabilities } from '../../part/spec/with-capabilities.ts';
import { checkedSelinuxOptions } from '../../part/spec/with-selinux.ts';

export interface SecurityInput {
  readonly config: ContainerConfig;
  readonly podConfig: PodSandboxConfig;
  readonly facts: HostFacts;
  readonly defaults: ContainerDefaults;
  /** The text of the profile that the container names; undefined when it names none. */
  readonly localhostSeccomp: string | undefined;
  /** Whether the Engine confines with AppArmor. */
  readonly apparmor: boolean;
}

/** The members of the Engine's HostConfig that confine a container. Fields that say nothing sensible: invalid-argument. */
export function engineSecurity(input: SecurityInput): Record<string, unknown> {
  const context = input.config.linux?.securityContext;
  const privileged = context?.privileged ?? false;
  return {
    Privileged: privileged,
    // Said whole: what a container gets is the configuration's business, and the same under both engines.
    ...(privileged ? {} : { CapDrop: ['ALL'], CapAdd: chosenCapabilities(context?.capabilities, { own: new Set(input.facts.capabilities), defaults: input.defaults.capabilities }).bounding }),
    ReadonlyRootfs: context?.readonlyRootfs ?? false,
    SecurityOpt: [...(context?.noNewPrivs ? ['no-new-privileges'] : []), ...seccomp(input), ...apparmor(input), ...selinux(input)],
    GroupAdd: (context?.supplementalGroups ?? []).map((gid, index) => String(checkId(`${securityContextField}.supplemental_groups[${index}]`, gid))),
    // As the kubelet sends them, none too: without the member the Engine would take its own.
    ...(privileged ? {} : { MaskedPaths: paths('masked_paths', context?.maskedPaths), ReadonlyPaths: paths('readonly_paths', context?.readonlyPaths) }),
  };
}

function paths(name: string, values: readonly string[] = []): string[] {
  return values.map((value, index) => checkAbsolutePath(`${securityContextField}.${name}[${index}]`, value));
}

function seccomp({ config, localhostSeccomp }: SecurityInput): string[] {
  const context = config.linux?.securityContext;
  const asked = context === undefined ? undefined : askedSeccomp(context);
  if (asked?.kind === 'runtime-default') return [];
  return [asked?.kind === 'localhost' && localhostSeccomp !== undefined ? `seccomp=${localhostSeccomp}` : 'seccomp=unconfined'];
}

function askedSeccomp(context: LinuxContainerSecurityContext): ReturnType<typeof effectiveProfile> {
  if (context.privileged) return undefined;
  return effectiveProfile({ field: `${securityContextField}.seccomp`, value: context.seccomp, oldField: `${securityContextField}.seccomp_profile_path`, oldValue: context.seccompProfilePath });
}

function apparmor({ config, apparmor: enabled }: SecurityInput): string[] {
  const asked = askedAppArmor(config);
  if (!enabled) {
    if (asked.kind === 'localhost') throw badField(asked.field, 'the Docker Engine does not confine with AppArmor on this node');
    return [];
  }
  if (asked.kind === 'runtime-default') return [];
  return [`apparmor=${asked.kind === 'localhost' ? asked.reference : 'unconfined'}`];
}

function selinux({ config, podConfig }: SecurityInput): string[] {
  const options = config.linux?.securityContext?.selinuxOptions ?? podConfig.linux?.securityContext?.selinuxOptions;
  if (options === undefined) return [];
  const checked = checkedSelinuxOptions(options);
  return (['user', 'role', 'type', 'level'] as const).filter((name) => checked[name] !== '').map((name) => `label=${name}:${checked[name]}`);
}

/** `User` of the Engine: id or name, and a group; undefined for the image's own. */
export function engineUser(context: LinuxContainerSecurityContext | undefined): string | undefined {
  if (context === undefined) return undefined;
  const { runAsUser, runAsUsername, runAsGroup } = context;
  if (runAsUser === undefined && runAsUsername === '') {
    if (runAsGroup !== undefined) throw badField(`${securityContextField}.run_as_group`, 'it needs run_as_user or run_as_username');
    return undefined;
  }
  const user = runAsUser === undefined ? runAsUsername : String(checkId(`${securityContextField}.run_as_user`, runAsUser.value));
  if (user.includes(':')) throw badField(`${securityContextField}.run_as_username`, 'it has a colon');
  return runAsGroup === undefined ? user : `${user}:${checkId(`${securityContextField}.run_as_group`, runAsGroup.value)}`;
}
