import { NamespaceMode, SupplementalGroupsPolicy } from '../../gen/cri.ts';
import type { LinuxSandboxSecurityContext, NamespaceOption } from '../../gen/cri.ts';
import { badField, checkEnum, checkId } from './check-field.ts';
import { checkCount, maxGroups } from './check-texts.ts';
import { effectiveProfile } from './effective-profile.ts';
import { checkedSelinuxOptions } from './with-selinux.ts';

const field = 'config.linux.security_context';

/**
 * Refuses a pod's security context that could not hold for its own process; the containers bring theirs. Ids, groups and profiles are
 * checked also where the pod has no process: a kubelet that sends nonsense here means something that will not happen.
 */
export function checkPodSecurity(context: LinuxSandboxSecurityContext | undefined): void {
  if (context === undefined) return;
  checkNamespaces(context.namespaceOptions);
  checkIdentity(context);
  effectiveProfile({ field: `${field}.seccomp`, value: context.seccomp, oldField: `${field}.seccomp_profile_path`, oldValue: context.seccompProfilePath });
  effectiveProfile({ field: `${field}.apparmor`, value: context.apparmor, oldField: `${field}.apparmor`, oldValue: '' });
  if (context.selinuxOptions !== undefined) checkedSelinuxOptions(context.selinuxOptions);
}

function checkIdentity({ runAsUser, runAsGroup, supplementalGroups, supplementalGroupsPolicy }: LinuxSandboxSecurityContext): void {
  if (runAsUser !== undefined) checkId(`${field}.run_as_user`, runAsUser.value);
  if (runAsGroup !== undefined) checkId(`${field}.run_as_group`, runAsGroup.value);
  if (runAsGroup !== undefined && runAsUser === undefined) throw badField(`${field}.run_as_group`, 'it needs run_as_user');
  checkCount(`${field}.supplemental_groups`, supplementalGroups, maxGroups);
  for (const [index, gid] of supplementalGroups.entries()) checkId(`${field}.supplemental_groups[${index}]`, gid);
  checkEnum(`${field}.supplemental_groups_policy`, supplementalGroupsPolicy, SupplementalGroupsPolicy);
}

function checkNamespaces(options: NamespaceOption | undefined): void {
  if (options === undefined) return;
  const at = `${field}.namespace_options`;
  checkMode(`${at}.network`, options.network, [NamespaceMode.POD, NamespaceMode.NODE]);
  checkMode(`${at}.ipc`, options.ipc, [NamespaceMode.POD, NamespaceMode.NODE]);
  checkMode(`${at}.pid`, options.pid, [NamespaceMode.POD, NamespaceMode.CONTAINER, NamespaceMode.NODE]);
  if (options.targetId !== '') throw badField(`${at}.target_id`, 'a pod has no target: containers have');
}

const modeNames = { [NamespaceMode.POD]: 'POD', [NamespaceMode.CONTAINER]: 'CONTAINER', [NamespaceMode.NODE]: 'NODE' } as const;

function checkMode(at: string, mode: NamespaceMode, possible: readonly (keyof typeof modeNames)[]): void {
  checkEnum(at, mode, NamespaceMode);
  if (!(possible as readonly number[]).includes(mode)) throw badField(at, `a pod's can only be ${possible.map((each) => modeNames[each]).join(' or ')}`);
}
