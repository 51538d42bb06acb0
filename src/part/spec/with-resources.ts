import { failure } from '../../base/errors.ts';
import type { LinuxContainerResources } from '../../gen/cri.ts';
import type { SpecStep } from './build-container-spec.ts';
import { resourcesField } from './check-field.ts';
import { checkResources } from './check-resources.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciCpu, OciMemory, OciResources } from './oci-spec.ts';

export const withResources: SpecStep = (spec, { config, cgroupsPath, facts }) => ({
  ...spec,
  linux: {
    ...spec.linux,
    cgroupsPath,
    resources: { ...spec.linux.resources, ...ociResources(config.linux?.resources, facts, resourcesField) },
  },
});

/**
 * LinuxContainerResources as OCI resources, for creating and for updating a container. Zero and empty mean "not said" (proto3). The values
 * are cgroup v1's; turning them into v2's is the runtime's job. What this host can't account for (hugetlb, swap) is left
 * out, since a runtime fails on it and the kubelet sends it always. `field` is where the message stands in the request.
 */
export function ociResources(asked: LinuxContainerResources | undefined, facts: HostFacts, field: string): Omit<OciResources, 'devices'> {
  if (asked === undefined) return {};
  checkResources(asked, field);
  const cpu = ociCpu(asked, facts);
  const memory = ociMemory(asked, facts);
  const unified = ociUnified(asked.unified, facts, field);
  return {
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(asked.hugepageLimits.length === 0 || !facts.hugetlb ? {} : { hugepageLimits: asked.hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit })) }),
    ...(unified === undefined ? {} : { unified }),
  };
}

/**
 * "No quota", -1, is left out on cgroup v1: crun writes it there as an unsigned number, which the kernel refuses. A new cgroup has none anyway;
 * one that had a quota is freed of it by who changes it.
 */
function ociCpu({ cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems }: LinuxContainerResources, { cgroupMode }: HostFacts): OciCpu {
  return {
    ...(cpuShares === 0n ? {} : { shares: cpuShares }),
    ...(cpuQuota === 0n || (cpuQuota === -1n && cgroupMode !== 'v2') ? {} : { quota: cpuQuota }),
    ...(cpuPeriod === 0n ? {} : { period: cpuPeriod }),
    ...(cpusetCpus === '' ? {} : { cpus: cpusetCpus }),
    ...(cpusetMems === '' ? {} : { mems: cpusetMems }),
  };
}

// A memory limit without a word on swap allows no swap: the container would otherwise get as much again on disk.
function ociMemory({ memoryLimitInBytes: limit, memorySwapLimitInBytes: swap }: LinuxContainerResources, facts: HostFacts): OciMemory {
  const both = swap === 0n ? limit : swap;
  return { ...(limit === 0n ? {} : { limit }), ...(both === 0n || !facts.swapAccounting ? {} : { swap: both }) };
}

function ociUnified(asked: Readonly<Record<string, string>>, facts: HostFacts, field: string): Record<string, string> | undefined {
  const entries = Object.entries(asked);
  if (entries.length === 0) return undefined;
  if (facts.cgroupMode !== 'v2') throw failure('failed-precondition', { act: 'set', object: `${field}.unified`, why: 'this node has cgroup v1, where these keys mean nothing' });
  return Object.fromEntries(entries);
}
