import type { LinuxContainerResources } from '../../gen/cri.ts';
import { badField, checkText, quote } from './check-field.ts';

/** The least that the CFS bandwidth controller takes, in microseconds (kernel: Documentation/scheduler/sched-bwc.rst). */
const leastCfs = 1000n;
const longestPeriod = 1_000_000n;

/** How the kernel writes processors and memory nodes, cpuset(7) "List format". */
export const cpuList = /^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$/;

/** The ends of cpu.shares; cgroup v2's weights 1 and 10000. */
const [leastShares, mostShares] = [2n, 262_144n];

/**
 * Refuses limits that no node could keep: out of range, malformed, contradictory. Zero and empty are "not said" (proto3). `field` is where
 * the message stands in the request, for the refusals: `config.linux.resources`, `linux`, `overhead`.
 */
export function checkResources(asked: LinuxContainerResources, field: string): void {
  checkEach(asked, field);
  checkSwap(asked, field);
}

/** The same without what one field says of another, which in a change of limits stands in the limits from before. */
export function checkEach(asked: LinuxContainerResources, field: string): void {
  checkCpu(asked, field);
  for (const [name, value] of [['memory_limit_in_bytes', asked.memoryLimitInBytes], ['memory_swap_limit_in_bytes', asked.memorySwapLimitInBytes]] as const) {
    if (value < -1n) throw badField(`${field}.${name}`, `${value} is less than -1`);
  }
  checkOomScore(asked.oomScoreAdj, field);
  asked.hugepageLimits.forEach(({ pageSize }, index) => {
    if (!/^[1-9][0-9]*[KMG]B$/.test(pageSize)) throw badField(`${field}.hugepage_limits[${index}].page_size`, `${quote(pageSize)} is not a size such as 2MB`);
  });
  // A key is the name of a file in the cgroup; one with a slash would be a file elsewhere, and cgroup.* moves processes about.
  for (const [key, value] of Object.entries(asked.unified)) {
    if (!/^[a-z0-9_]+(\.[a-z0-9_]+)+$/i.test(key) || key.startsWith('cgroup.')) throw badField(`${field}.unified`, `${quote(key)} is no key of a cgroup controller`);
    checkText(`${field}.unified[${key}]`, value);
  }
}

/** The range of oom_score_adj, proc_pid_oom_score_adj(5). */
export function checkOomScore(wanted: bigint, field: string): void {
  if (wanted < -1000n || wanted > 1000n) throw badField(`${field}.oom_score_adj`, `${wanted} is not from -1000 to 1000`);
}

/** CRI counts memory and swap together, as cgroup v1 does. */
export function checkSwap({ memoryLimitInBytes: limit, memorySwapLimitInBytes: swap }: LinuxContainerResources, field: string): void {
  if (swap <= 0n) return;
  const both = `${field}.memory_swap_limit_in_bytes`;
  if (limit <= 0n) throw badField(both, `${swap} is memory and swap together: it needs memory_limit_in_bytes too`);
  if (swap < limit) throw badField(both, `${swap} is memory and swap together and cannot be less than memory_limit_in_bytes, ${limit}`);
}

function checkCpu({ cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems }: LinuxContainerResources, field: string): void {
  if (cpuShares !== 0n && (cpuShares < leastShares || cpuShares > mostShares)) throw badField(`${field}.cpu_shares`, `${cpuShares} is not from ${leastShares} to ${mostShares}`);
  if (cpuQuota !== 0n && cpuQuota !== -1n && cpuQuota < leastCfs) throw badField(`${field}.cpu_quota`, `${cpuQuota} is neither -1 (no limit) nor ${leastCfs} or more microseconds`);
  if (cpuPeriod !== 0n && (cpuPeriod < leastCfs || cpuPeriod > longestPeriod)) throw badField(`${field}.cpu_period`, `${cpuPeriod} is not from ${leastCfs} to ${longestPeriod} microseconds`);
  for (const [name, list] of [['cpuset_cpus', cpusetCpus], ['cpuset_mems', cpusetMems]] as const) {
    if (list !== '' && !cpuList.test(list)) throw badField(`${field}.${name}`, `${quote(list)} is not a list such as 0-3,7`);
  }
}
