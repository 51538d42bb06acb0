import type { ContainerConfig, PodSandboxConfig, SELinuxOption } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { badField, quote, securityContextField } from './check-field.ts';

/** What of SELinux a container's labels depend on. */
export interface SelinuxState {
  /** The contexts that the node's policy has for containers, each `user:role:type:level`. */
  readonly contexts: { readonly process: string; readonly file: string };
  /** What all containers of the pod have that name no level of their own: `s0:c1,c2`. */
  readonly podLevel: string;
}

export interface SelinuxLabels {
  /** Of the processes; undefined when they are not confined. */
  readonly process: string | undefined;
  /** Of the root, of what the runtime mounts and of volumes to be relabelled. */
  readonly file: string;
}

/**
 * SELinux labels of the process and of its mounts, on a node with SELinux; on others the wish is without effect, as the CRI allows. A privileged
 * container's processes have none (LinuxContainerSecurityContext.privileged, effect 8).
 */
export const withSelinux: SpecStep = (spec, { config, podConfig, selinux }) => {
  if (selinux === undefined) return spec;
  const { process, file } = selinuxLabels(config, podConfig, selinux);
  return {
    ...spec,
    process: { ...spec.process, ...(process === undefined ? {} : { selinuxLabel: process }) },
    linux: { ...spec.linux, mountLabel: file },
  };
};

/** The container's options, or else the pod's, and for parts that they leave out the policy's; the level, the pod's own. Errors: invalid-argument. */
export function selinuxLabels(config: Pick<ContainerConfig, 'linux'>, podConfig: PodSandboxConfig, { contexts, podLevel }: SelinuxState): SelinuxLabels {
  const context = config.linux?.securityContext;
  const options = context?.selinuxOptions ?? podConfig.linux?.securityContext?.selinuxOptions;
  const asked = options === undefined ? undefined : checkedSelinuxOptions(options);
  const [user, role, type] = contexts.process.split(':');
  const [fileUser, fileRole, fileType] = contexts.file.split(':');
  const level = asked?.level || podLevel;
  return {
    process: context?.privileged ? undefined : [asked?.user || user, asked?.role || role, asked?.type || type, level].join(':'),
    file: [asked?.user || fileUser, fileRole, fileType, level].join(':'),
  };
}

/** Refuses parts that would make another label than they say: invalid-argument naming the field. The same fields are a pod's and a container's. */
export function checkedSelinuxOptions(options: SELinuxOption): SELinuxOption {
  for (const name of ['user', 'role', 'type', 'level'] as const) {
    // A colon would shift the parts of the label; only a level has them (s0:c1,c2).
    if (!(name === 'level' ? /^[\w.,:-]{0,255}$/ : /^[\w.-]{0,255}$/).test(options[name])) throw badField(`${securityContextField}.selinux_options.${name}`, `${quote(options[name])} is no part of an SELinux label`);
  }
  return options;
}
