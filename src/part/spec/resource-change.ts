/**
 * Limits before and after a change of some of them. A request names only what it changes: zero and empty mean "as it is" (proto3).
 */
import { LinuxContainerResources } from '../../gen/cri.ts';
import type { ContainerDefaults } from './container-defaults.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciResources } from './oci-spec.ts';
import { possibleOomScore } from './with-oom-score.ts';

/**
 * All limits as they are to be: what is asked over what there was. Huge pages go by page size, unified keys by key. A new memory limit
 * that comes without a word on swap keeps the swap on top of it as large as it was.
 */
export function changedResources(before: LinuxContainerResources | undefined, asked: LinuxContainerResources): LinuxContainerResources {
  if (before === undefined) return asked;
  const said = Object.entries(asked).filter(([, value]) => value !== 0n && value !== '' && typeof value !== 'object');
  const sizes = new Set(asked.hugepageLimits.map(({ pageSize }) => pageSize));
  return {
    ...before,
    ...Object.fromEntries(said),
    memorySwapLimitInBytes: changedSwap(before, asked),
    hugepageLimits: [...before.hugepageLimits.filter(({ pageSize }) => !sizes.has(pageSize)), ...asked.hugepageLimits],
    unified: { ...before.unified, ...asked.unified },
  };
}

/** Memory and swap together. Not said stays not said: then there is no swap, whatever the memory limit is. */
function changedSwap(before: LinuxContainerResources, asked: LinuxContainerResources): bigint {
  if (asked.memorySwapLimitInBytes !== 0n) return asked.memorySwapLimitInBytes;
  const [swap, memory] = [before.memorySwapLimitInBytes, asked.memoryLimitInBytes];
  if (swap <= 0n || memory === 0n) return swap;
  return memory < 0n ? -1n : memory + swap - before.memoryLimitInBytes;
}

/**
 * What a runtime has to be told for a change: of `after`, what was asked for, and what goes with it. The runtimes reset a quota that
 * comes without its period (and the reverse), and turn memory and swap into v2's figures together.
 */
export function resourcesToTell(after: LinuxContainerResources, asked: LinuxContainerResources): LinuxContainerResources {
  const bandwidth = asked.cpuQuota !== 0n || asked.cpuPeriod !== 0n ? { cpuQuota: after.cpuQuota, cpuPeriod: after.cpuPeriod } : {};
  const memory = asked.memoryLimitInBytes !== 0n || asked.memorySwapLimitInBytes !== 0n
    ? { memoryLimitInBytes: after.memoryLimitInBytes, memorySwapLimitInBytes: after.memorySwapLimitInBytes }
    : {};
  return { ...asked, ...bandwidth, ...memory };
}

/** Of limits that were asked for, those that this host keeps: the others were left out (ociResources) or weakened (possibleOomScore). */
export function resourcesInForce(asked: LinuxContainerResources, facts: HostFacts, defaults: Pick<ContainerDefaults, 'restrictOomScore'>): LinuxContainerResources {
  return {
    ...asked,
    oomScoreAdj: BigInt(possibleOomScore(Number(asked.oomScoreAdj), facts, defaults)),
    ...(facts.hugetlb ? {} : { hugepageLimits: [] }),
    ...(facts.swapAccounting ? {} : { memorySwapLimitInBytes: 0n }),
  };
}

/** What was asked for with the CPU figures that the spec has: a workload class or a base spec, whose figures are JSON's numbers, may say others. */
export function withCpuOf({ cpu }: Pick<OciResources, 'cpu'>, asked: LinuxContainerResources | undefined): LinuxContainerResources | undefined {
  if (cpu === undefined) return asked;
  const { cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems, ...others } = asked ?? noResources();
  return {
    ...others,
    cpuShares: BigInt(cpu.shares ?? cpuShares),
    cpuQuota: BigInt(cpu.quota ?? cpuQuota),
    cpuPeriod: BigInt(cpu.period ?? cpuPeriod),
    cpusetCpus: cpu.cpus ?? cpusetCpus,
    cpusetMems: cpu.mems ?? cpusetMems,
  };
}

/** No limits at all, as a request without any field decodes. */
export function noResources(): LinuxContainerResources {
  return LinuxContainerResources.decode(new Uint8Array());
}

/** What a runtime has to be told to take such a change back: the limits from before, and where there were none the kernel's defaults. */
export function resourcesToTellBack(before: LinuxContainerResources | undefined, asked: LinuxContainerResources): LinuxContainerResources {
  const old = before ?? noResources();
  const was = (wanted: bigint, value: bigint, unlimited: bigint): bigint => (wanted === 0n ? 0n : value === 0n ? unlimited : value);
  return {
    ...noResources(),
    cpuShares: was(asked.cpuShares, old.cpuShares, 1024n),
    cpuQuota: was(asked.cpuQuota, old.cpuQuota, -1n),
    cpuPeriod: was(asked.cpuPeriod, old.cpuPeriod, 100_000n),
    memoryLimitInBytes: was(asked.memoryLimitInBytes, old.memoryLimitInBytes, -1n),
    memorySwapLimitInBytes: was(asked.memorySwapLimitInBytes, old.memorySwapLimitInBytes, old.memoryLimitInBytes === 0n ? -1n : old.memoryLimitInBytes),
    cpusetCpus: asked.cpusetCpus === '' ? '' : old.cpusetCpus,
    cpusetMems: asked.cpusetMems === '' ? '' : old.cpusetMems,
  };
}
