/** Security contexts as the kubelet hands them to a runtime. */
import {
  NamespaceMode, SecurityProfile_ProfileType as ProfileType, SupplementalGroupsPolicy,
} from '../../../gen/cri.ts';
import type { LinuxContainerSecurityContext, LinuxSandboxSecurityContext, NamespaceOption, SecurityProfile } from '../../../gen/cri.ts';
import type { ContainerSpec, PodSpec, Profile } from './manifest.ts';
import { allContainers } from './manifest.ts';

/** The user of an image, as the runtime reports it: a number, or a name to be looked up inside. */
export interface ImageUser {
  readonly uid: bigint | undefined;
  readonly username: string;
}

/** Where a kubelet looks for `localhostProfile`. */
const seccompRoot = '/var/lib/kubelet/seccomp';

/** What a container with procMount Default does not see of /proc and /sys, and what it only reads. */
const maskedPaths = [
  '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi',
  '/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function namespaceOptions(spec: PodSpec): NamespaceOption {
  return {
    network: spec.hostNetwork ? NamespaceMode.NODE : NamespaceMode.POD,
    pid: spec.hostPid ? NamespaceMode.NODE : spec.shareProcessNamespace ? NamespaceMode.POD : NamespaceMode.CONTAINER,
    ipc: spec.hostIpc ? NamespaceMode.NODE : NamespaceMode.POD,
    targetId: '',
    usernsOptions: undefined,
  };
}

export function podSecurityToCri(spec: PodSpec): LinuxSandboxSecurityContext {
  const { security } = spec;
  return {
    namespaceOptions: namespaceOptions(spec),
    selinuxOptions: security.selinux,
    runAsUser: security.runAsUser === undefined ? undefined : { value: security.runAsUser },
    // A group alone is refused by runtimes: it needs a user to go with.
    runAsGroup: security.runAsGroup === undefined || security.runAsUser === undefined ? undefined : { value: security.runAsGroup },
    readonlyRootfs: false,
    supplementalGroups: groupsOf(spec),
    supplementalGroupsPolicy: policyOf(spec),
    privileged: allContainers(spec).some((one) => one.security.privileged),
    seccomp: { profileType: ProfileType.RuntimeDefault, localhostRef: '' },
    apparmor: undefined,
    seccompProfilePath: '',
  };
}

/** `imageUser` stands in where the manifest names no user, as the kubelet does it. */
export function containerSecurityToCri(container: ContainerSpec, spec: PodSpec, imageUser: ImageUser): LinuxContainerSecurityContext {
  const own = container.security;
  const user = own.runAsUser ?? spec.security.runAsUser;
  const group = own.runAsGroup ?? spec.security.runAsGroup;
  const uid = user ?? imageUser.uid;
  const unmasked = own.procMount === 'Unmasked';
  return {
    capabilities: { addCapabilities: [...own.addCapabilities], dropCapabilities: [...own.dropCapabilities], addAmbientCapabilities: [] },
    privileged: own.privileged,
    namespaceOptions: namespaceOptions(spec),
    selinuxOptions: own.selinux ?? spec.security.selinux,
    runAsUser: uid === undefined ? undefined : { value: uid },
    runAsUsername: uid === undefined ? imageUser.username : '',
    runAsGroup: group === undefined ? undefined : { value: group },
    readonlyRootfs: own.readOnlyRootFilesystem,
    supplementalGroups: groupsOf(spec),
    supplementalGroupsPolicy: policyOf(spec),
    noNewPrivs: !own.allowPrivilegeEscalation,
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
    seccomp: seccompOf(container, spec),
    apparmor: profileToCri(own.apparmor ?? spec.security.apparmor, ''),
    apparmorProfile: '',
    seccompProfilePath: '',
  };
}

/** Why a container that must not run as root would; undefined when all is well. */
export function rootProblem(container: ContainerSpec, spec: PodSpec, imageUser: ImageUser): string | undefined {
  if (!(container.security.runAsNonRoot ?? spec.security.runAsNonRoot)) return undefined;
  if ((container.security.runAsUser ?? spec.security.runAsUser) !== undefined) return undefined;
  if (imageUser.uid === undefined && imageUser.username !== '') {
    return `runAsNonRoot is set, and the image's user ${imageUser.username} is a name that may mean root: set runAsUser`;
  }
  return (imageUser.uid ?? 0n) === 0n ? 'runAsNonRoot is set, and the image runs as root: set runAsUser' : undefined;
}

/** Unsaid is the runtime's default profile (a kubelet with --seccomp-default), and none for a privileged container. */
function seccompOf(container: ContainerSpec, spec: PodSpec): SecurityProfile {
  const said = profileToCri(container.security.seccomp ?? spec.security.seccomp, seccompRoot);
  return said ?? { profileType: container.security.privileged ? ProfileType.Unconfined : ProfileType.RuntimeDefault, localhostRef: '' };
}

function profileToCri(profile: Profile | undefined, root: string): SecurityProfile | undefined {
  if (!profile) return undefined;
  const localhostRef = root === '' ? profile.localhostProfile : `${root}/${profile.localhostProfile}`;
  return { profileType: ProfileType[profile.type], localhostRef: profile.type === 'Localhost' ? localhostRef : '' };
}

function groupsOf(spec: PodSpec): bigint[] {
  const { fsGroup, supplementalGroups } = spec.security;
  return [...new Set(fsGroup === undefined ? supplementalGroups : [fsGroup, ...supplementalGroups])];
}

function policyOf(spec: PodSpec): SupplementalGroupsPolicy {
  return spec.security.supplementalGroupsPolicy === 'Strict' ? SupplementalGroupsPolicy.Strict : SupplementalGroupsPolicy.Merge;
}
