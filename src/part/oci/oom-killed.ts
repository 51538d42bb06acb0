/** Whether the kernel's out-of-memory killer ended a container, which its status then gives as reason OOMKilled. */
import { existsSync } from 'node:fs';
import { bundleFiles } from './bundle.ts';

export interface OomEvidence {
  readonly exitCode: number;
  /**
   * How many of the container's processes were killed for memory: `oom_kill` of its own cgroup, read after its end and before
   * the runtime deletes it. Undefined when that cgroup is gone already (systemd removes a scope that is empty).
   */
  readonly oomKills: number | undefined;
  /** How many were killed for memory in the pod's cgroup while this container was there; zero where that is not known. */
  readonly oomKillsAround: number;
  readonly bundle: string;
  /** `isOomVictim` of what the kernel logged; asked for only where nothing else is certain. */
  readonly inKernelLog: () => boolean;
  /** True when we sent SIGKILL ourselves: then 137 is our doing, whatever happened to a child process hours before. */
  readonly killedByUs: boolean;
}

const endedBySigkill = 128 + 9;

/**
 * True when the container failed and a process of it was killed for memory. The counter counts victims in this very
 * cgroup and is believed when it is known; conmon's `oom` file says only that memory ran out here or, on cgroup v1, in a
 * cgroup above. systemd can be faster than conmon too, and takes along a pod's slice that nobody but this container kept: the kernel's log is
 * then what still knows. It holds not more than ten kills within five seconds; beyond, a SIGKILL that nobody else sent is the one that the pod's
 * cgroup counted.
 */
export function wasOomKilled({ exitCode, oomKills, oomKillsAround, bundle, inKernelLog, killedByUs }: OomEvidence): boolean {
  if (exitCode === 0 || killedByUs) return false;
  if (oomKills !== undefined) return oomKills > 0;
  return existsSync(bundleFiles(bundle).oom) || inKernelLog() || (exitCode === endedBySigkill && oomKillsAround > 0);
}

/**
 * True when one of the kernel's messages says that it killed a process for memory in a cgroup of this container, which has the container's id
 * in its path (or in a cgroup below that one). Linux 5.0 and later write them: `oom-kill:constraint=…,task_memcg=/pods/ID,task=…`.
 */
export function isOomVictim(messages: readonly string[], id: string): boolean {
  return messages.some((text) => /^oom-kill:.*?,task_memcg=([^,]*)/.exec(text)?.[1]?.includes(id));
}
