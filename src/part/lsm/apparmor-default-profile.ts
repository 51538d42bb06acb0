/** Raised with every change of the text, so that running containers keep the profile that they were started under. */
export const builtInProfile = 'gantry-default-1';

/** Who starts, signals and watches containers, under the names that distributions give to their profiles for them. */
const runtimePeers = ['unconfined', 'runc', 'crun', 'conmon', 'gantry'];

/**
 * The AppArmor profile of RuntimeDefault. It takes away what the containers' own file systems leave open when a capability, a mount or a
 * kernel defect opens it: writing the kernel's settings in /proc and /sys, mounting, and touching processes that are no peers. It means the same as
 * Docker's and containerd's default. It includes no file of the node's, so that it is the same on every distribution.
 *
 * `daemon` is the profile that gantry itself is under, whose signals have to come through.
 */
export function builtInProfileText(daemon: string): string {
  const peers = [...new Set([...runtimePeers, daemon])];
  const denied = (paths: readonly string[], access: string): string[] => paths.map((path) => `deny "${path}" ${access},`);
  const rules = [
    // What programs need: their file system's own permissions, capabilities and network policies rule these.
    'file,', 'network,', 'unix,', 'capability,', 'umount,',
    ...peers.map((peer) => `signal (receive) peer="${peer}",`),
    `signal (send, receive) peer="${builtInProfile}",`,
    'signal (send, receive) set=("exists"),',
    `ptrace (trace, read) peer="${builtInProfile}",`,
    'ptrace (tracedby, readby),', // whoever traces needs the right to do so from its own profile

    'deny mount,',
    // In /proc: what is of a process (a number), and the limits of shared memory, which a container has its own of.
    ...denied(['/proc/*', '/proc/[^0-9s/]*/**', ...otherThan('/proc/', 'sys', 1)], 'w'),
    ...denied(otherThan('/proc/sys/', 'kernel'), 'w'),
    ...denied(notBeginningWith('/proc/sys/kernel/', 'shm'), 'w'),
    ...denied(['/proc/sysrq-trigger', '/proc/kcore'], 'rwklx'),
    // In /sys: the container's own cgroup.
    ...denied([...otherThan('/sys/', 'fs'), ...otherThan('/sys/fs/', 'cgroup')], 'wklx'),
    ...denied(['/sys/firmware/**', '/sys/devices/virtual/powercap/**', '/sys/kernel/security/**'], 'rwklx'),
  ];
  return `profile ${builtInProfile} flags=(attach_disconnected, mediate_deleted) {\n${rules.map((rule) => `  ${rule}\n`).join('')}}\n`;
}

/** Patterns for all that is below `folder` and not `name` or below it. AppArmor has no "all but": one pattern for each letter that differs. */
function otherThan(folder: string, name: string, fromLetter = 0): string[] {
  return [...notBeginningWith(folder, name, fromLetter), `${folder}${name}[^/]**`];
}

/** The same for all whose name does not begin with `name`; names that differ before letter `fromLetter` are the caller's. */
function notBeginningWith(folder: string, name: string, fromLetter = 0): string[] {
  return [...name].flatMap((letter, index) => {
    const start = `${folder}${name.slice(0, index)}`;
    const differing = index < fromLetter ? [] : [`${start}[^${letter}/]**`];
    return index === 0 ? differing : [...differing, `${start}{,/**}`];
  });
}
