import type { SELinuxOption } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { badField, quote, securityContextField } from './check-field.ts';

/**
 * SELinux labels of the process and of its mounts, on a node with SELinux; on others the wish is without effect, as the CRI allows. Parts
 * that the pod leaves out are the usual ones of container policies. A privileged container has none.
 */
export const withSelinux: SpecStep = (spec, { config, facts }) => {
  const context = config.linux?.securityContext;
  const options = context?.selinuxOptions;
  if (options === undefined || context?.privileged || !facts.selinux) return spec;
  const { user, role, type, level } = checked(options);
  return {
    ...spec,
    process: { ...spec.process, selinuxLabel: `${user}:${role}:${type}:${level}` },
    linux: { ...spec.linux, mountLabel: `${user}:object_r:container_file_t:${level}` },
  };
};

function checked(options: SELinuxOption): SELinuxOption {
  const part = (name: 'user' | 'role' | 'type' | 'level', otherwise: string): string => {
    const value = options[name] || otherwise;
    // A colon would shift the parts of the label; only a level has them (s0:c1,c2).
    if (!(name === 'level' ? /^[\w.,:-]+$/ : /^[\w.-]+$/).test(value)) throw badField(`${securityContextField}.selinux_options.${name}`, `${quote(value)} is no part of an SELinux label`);
    return value;
  };
  return { user: part('user', 'system_u'), role: part('role', 'system_r'), type: part('type', 'container_t'), level: part('level', 's0') };
}
