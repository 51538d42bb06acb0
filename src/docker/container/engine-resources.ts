import type { LinuxContainerResources } from '../../gen/cri.ts';
import type { ContainerDefaults } from '../../part/spec/container-defaults.ts';
import type { HostFacts } from '../../part/spec/host-facts.ts';
import { possibleOomScore } from '../../part/spec/with-oom-score.ts';
import type { HostConfigAnswer } from '../api/engine-answers.ts';

/** Limits as the Engine takes them with a new container and with a change; what is zero or empty was not said. */
export function engineResources(asked: LinuxContainerResources | undefined): Record<string, number | string> {
  if (asked === undefined) return {};
  const { cpuPeriod, cpuQuota, cpuShares, memoryLimitInBytes: memory, memorySwapLimitInBytes, cpusetCpus, cpusetMems } = asked;
  // A memory limit without a word on swap allows no swap: the Engine would give as much again.
  const swap = memorySwapLimitInBytes === 0n ? memory : memorySwapLimitInBytes;
  return {
    ...(cpuPeriod === 0n ? {} : { CpuPeriod: Number(cpuPeriod) }),
    ...(cpuQuota === 0n ? {} : { CpuQuota: Number(cpuQuota) }),
    ...(cpuShares === 0n ? {} : { CpuShares: Number(cpuShares) }),
    ...(memory <= 0n ? {} : { Memory: Number(memory) }),
    ...(swap === 0n ? {} : { MemorySwap: Number(swap) }),
    ...(cpusetCpus === '' ? {} : { CpusetCpus: cpusetCpus }),
    ...(cpusetMems === '' ? {} : { CpusetMems: cpusetMems }),
  };
}

/** Always said: the Engine's own protection must not be a container's. */
export function engineOomScore(asked: LinuxContainerResources | undefined, { facts, defaults }: { facts: HostFacts; defaults: ContainerDefaults }): number {
  return possibleOomScore(Number(asked?.oomScoreAdj ?? 0n), facts, defaults);
}

/** The limits in force, from what the Engine says; huge pages from what was asked, as the Engine knows none of them. */
export function criResources(answer: HostConfigAnswer, asked: LinuxContainerResources | undefined): LinuxContainerResources {
  return {
    cpuPeriod: BigInt(answer.CpuPeriod ?? 0),
    cpuQuota: BigInt(answer.CpuQuota ?? 0),
    cpuShares: BigInt(answer.CpuShares ?? 0),
    memoryLimitInBytes: BigInt(answer.Memory ?? 0),
    oomScoreAdj: BigInt(answer.OomScoreAdj ?? 0),
    cpusetCpus: answer.CpusetCpus ?? '',
    cpusetMems: answer.CpusetMems ?? '',
    hugepageLimits: asked?.hugepageLimits ?? [],
    unified: {},
    memorySwapLimitInBytes: asked?.memorySwapLimitInBytes === undefined || asked.memorySwapLimitInBytes === 0n ? 0n : BigInt(answer.MemorySwap ?? 0),
  };
}
