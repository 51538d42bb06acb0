import { failure } from '../../base/errors.ts';
import type { LinuxContainerResources } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { badField, checkText, quote, resourcesField as field } from './check-field.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciCpu, OciHugepageLimit, OciMemory, OciResources } from './oci-spec.ts';

export const withResources: SpecStep = (spec, { config, cgroupsPath, facts }) => ({
  ...spec,
  linux: {
    ...spec.linux,
    cgroupsPath,
    resources: { ...spec.linux.resources, ...ociResources(config.linux?.resources, facts) },
  },
});

/**
 * LinuxContainerResources as OCI resources, for creating and for updating a container. Zero and empty mean "not said" (proto3). The values
 * are cgroup v1's; turning them into v2's is the runtime's job. What this host can't account for (hugetlb, swap) is left
 * out, since a runtime fails on it and the kubelet sends it always.
 */
export function ociResources(asked: LinuxContainerResources | undefined, facts: HostFacts): Omit<OciResources, 'devices'> {
  if (asked === undefined) return {};
  const cpu = ociCpu(asked);
  const memory = ociMemory(asked, facts);
  const hugepageLimits = asked.hugepageLimits.map(checkHugepageLimit);
  const unified = ociUnified(asked.unified, facts);
  return {
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(hugepageLimits.length === 0 || !facts.hugetlb ? {} : { hugepageLimits }),
    ...(unified === undefined ? {} : { unified }),
  };
}

function ociCpu({ cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems }: LinuxContainerResources): OciCpu {
  return {
    ...(refuseBelow('cpu_shares', cpuShares, 0n) === 0n ? {} : { shares: cpuShares }),
    ...(refuseBelow('cpu_quota', cpuQuota, -1n) === 0n ? {} : { quota: cpuQuota }),
    ...(refuseBelow('cpu_period', cpuPeriod, 0n) === 0n ? {} : { period: cpuPeriod }),
    ...(cpusetCpus === '' ? {} : { cpus: checkSet('cpuset_cpus', cpusetCpus) }),
    ...(cpusetMems === '' ? {} : { mems: checkSet('cpuset_mems', cpusetMems) }),
  };
}

// A memory limit without a word on swap allows no swap: the container would otherwise get as much again on disk.
function ociMemory({ memoryLimitInBytes: limit, memorySwapLimitInBytes: swap }: LinuxContainerResources, facts: HostFacts): OciMemory {
  refuseBelow('memory_limit_in_bytes', limit, -1n);
  refuseBelow('memory_swap_limit_in_bytes', swap, -1n);
  if (limit > 0n && swap > 0n && swap < limit) {
    throw badField(`${field}.memory_swap_limit_in_bytes`, `${swap} is memory and swap together and cannot be less than memory_limit_in_bytes, ${limit}`);
  }
  const both = swap === 0n ? limit : swap;
  return { ...(limit === 0n ? {} : { limit }), ...(both === 0n || !facts.swapAccounting ? {} : { swap: both }) };
}

function checkHugepageLimit({ pageSize, limit }: { pageSize: string; limit: bigint }, index: number): OciHugepageLimit {
  const where = `${field}.hugepage_limits[${index}]`;
  if (!/^[1-9][0-9]*[KMG]B$/.test(pageSize)) throw badField(`${where}.page_size`, `${quote(pageSize)} is not a size such as 2MB`);
  return { pageSize, limit };
}

// A key is the name of a file in the cgroup; one with a slash would be a file elsewhere, and cgroup.* moves processes about.
function ociUnified(asked: Readonly<Record<string, string>>, facts: HostFacts): Record<string, string> | undefined {
  const entries = Object.entries(asked);
  if (entries.length === 0) return undefined;
  if (facts.cgroupMode !== 'v2') throw failure('failed-precondition', { act: 'set', object: `${field}.unified`, why: 'this node has cgroup v1, where these keys mean nothing' });
  for (const [key, value] of entries) {
    if (!/^[a-z0-9_]+(\.[a-z0-9_]+)+$/i.test(key) || key.startsWith('cgroup.')) throw badField(`${field}.unified`, `${quote(key)} is no key of a cgroup controller`);
    checkText(`${field}.unified[${key}]`, value);
  }
  return Object.fromEntries(entries);
}

function checkSet(name: string, value: string): string {
  if (!/^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$/.test(value)) throw badField(`${field}.${name}`, `${quote(value)} is not a list such as 0-3,7`);
  return value;
}

function refuseBelow(name: string, value: bigint, least: bigint): bigint {
  if (value < least) throw badField(`${field}.${name}`, `${value} is less than ${least}`);
  return value;
}
