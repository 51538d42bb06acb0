/** Security contexts of pods and containers from their fields. */
import type { Fields } from './fields.ts';
import type { CommonSecurity, ContainerSecurity, PodSecurity, Profile } from './manifest.ts';

export function parsePodSecurity(fields: Fields): PodSecurity {
  const sysctls = fields.list('sysctls', (item) => [item.required('name'), item.text('value') ?? ''] as const);
  fields.ignore('fsGroupChangePolicy', 'seLinuxChangePolicy');
  const result = {
    ...parseCommon(fields),
    fsGroup: fields.id('fsGroup'),
    supplementalGroups: fields.ids('supplementalGroups'),
    supplementalGroupsPolicy: fields.oneOf('supplementalGroupsPolicy', ['Merge', 'Strict']) ?? ('Merge' as const),
    sysctls: Object.fromEntries(sysctls),
  };
  fields.end();
  return result;
}

export function parseContainerSecurity(fields: Fields): ContainerSecurity {
  const capabilities = fields.object('capabilities');
  const privileged = fields.flag('privileged') ?? false;
  const escalation = fields.flag('allowPrivilegeEscalation');
  const result = {
    ...parseCommon(fields),
    privileged,
    addCapabilities: capabilities.texts('add'),
    dropCapabilities: capabilities.texts('drop'),
    readOnlyRootFilesystem: fields.flag('readOnlyRootFilesystem') ?? false,
    allowPrivilegeEscalation: escalation ?? true,
    procMount: fields.oneOf('procMount', ['Default', 'Unmasked']) ?? ('Default' as const),
  };
  capabilities.end();
  if (privileged && escalation === false) fields.problem('allowPrivilegeEscalation', 'cannot be false in a privileged container');
  fields.end();
  return result;
}

function parseCommon(fields: Fields): CommonSecurity {
  const selinux = fields.object('seLinuxOptions');
  const options = { user: selinux.text('user') ?? '', role: selinux.text('role') ?? '', type: selinux.text('type') ?? '', level: selinux.text('level') ?? '' };
  selinux.end();
  return {
    runAsUser: fields.id('runAsUser'),
    runAsGroup: fields.id('runAsGroup'),
    runAsNonRoot: fields.flag('runAsNonRoot'),
    seccomp: parseProfile(fields, 'seccompProfile'),
    apparmor: parseProfile(fields, 'appArmorProfile'),
    selinux: fields.has('seLinuxOptions') ? options : undefined,
  };
}

function parseProfile(fields: Fields, field: string): Profile | undefined {
  const profile = fields.object(field);
  if (!fields.has(field)) return undefined;
  const type = profile.oneOf('type', ['RuntimeDefault', 'Unconfined', 'Localhost']);
  if (!profile.has('type')) profile.problem('type', 'is missing');
  const localhostProfile = profile.text('localhostProfile') ?? '';
  if (type === 'Localhost' && localhostProfile === '') profile.problem('localhostProfile', 'is missing');
  if (localhostProfile.split('/').includes('..')) profile.problem('localhostProfile', 'may not contain ..');
  profile.end();
  return type === undefined ? undefined : { type, localhostProfile };
}
