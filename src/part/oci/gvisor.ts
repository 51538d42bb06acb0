/** gVisor's runsc: the OCI runtime that runs all containers of a pod in one sandbox with a kernel of its own. */
import { findProgram, systemPath } from '../../host/find-program.ts';

/** What no release of gVisor knows: `runsc` fails on a specification that has one. They are powers over the kernel of the node only. */
export const capabilitiesUnknownToGvisor: readonly string[] = ['CAP_PERFMON', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE'];

/** Whether a flag that is on or off is given. The last one counts. */
export function hasFlag(flags: readonly string[], name: string): boolean {
  const last = flags.findLast((flag) => new RegExp(`^--?${name}(=|$)`).test(flag));
  return last !== undefined && /^(true|t|1)$/i.test(last.split('=')[1] ?? 'true');
}

/** Whether flags of runsc leave the pods' network to the node's kernel, instead of gVisor's own TCP/IP. The last one counts. */
export function hasHostNetwork(flags: readonly string[]): boolean {
  const joined = flags.flatMap((flag, n) => (/^--?network$/.test(flag) ? [`--network=${flags[n + 1] ?? ''}`] : [flag]));
  return joined.findLast((flag) => /^--?network=/.test(flag))?.endsWith('=host') === true;
}

/**
 * Words in front of the `start` of a sandbox. runsc takes a network namespace in which it finds net.core.rmem_default for the node's own and
 * refuses to start, and Linux 6.11 and later show that file in every one (gVisor issue 10704): for that one process there is none.
 * Empty where unshare(1) is missing.
 */
export function withoutNetSysctls(): readonly string[] {
  const unshare = findProgram('unshare', systemPath);
  return unshare === undefined ? [] : [unshare, '--mount', '--propagation', 'private', 'sh', '-c', 'mount -t tmpfs -o ro none /proc/sys/net && exec "$0" "$@"'];
}
