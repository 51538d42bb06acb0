import type { LinuxContainerResources } from '../../gen/cri.ts';
import { badField } from '../../part/spec/check-field.ts';

/** The least that each number can be; 0 is "not said", and -1 "without limit" where the kernel knows that. */
const least = { cpuPeriod: 0n, cpuQuota: -1n, cpuShares: 0n, memoryLimitInBytes: -1n, memorySwapLimitInBytes: -1n, oomScoreAdj: -1000n } as const;

const protoNames: Readonly<Record<keyof typeof least, string>> = {
  cpuPeriod: 'cpu_period', cpuQuota: 'cpu_quota', cpuShares: 'cpu_shares', memoryLimitInBytes: 'memory_limit_in_bytes',
  memorySwapLimitInBytes: 'memory_swap_limit_in_bytes', oomScoreAdj: 'oom_score_adj',
};

/** A pod's overhead and the sum of its containers: told by the kubelet, which makes the pod's cgroup itself. */
export function checkPodResources(field: string, resources: LinuxContainerResources | undefined): void {
  if (resources === undefined) return;
  for (const [name, smallest] of Object.entries(least) as [keyof typeof least, bigint][]) {
    if (resources[name] < smallest) throw badField(`${field}.${protoNames[name]}`, `${resources[name]} is less than ${smallest}`);
  }
  if (resources.oomScoreAdj > 1000n) throw badField(`${field}.oom_score_adj`, `${resources.oomScoreAdj} is more than 1000`);
}
