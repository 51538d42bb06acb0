/** Requests and limits as cgroup settings, by the kubelet's formulas (pkg/kubelet/cm/helpers_linux.go, pkg/kubelet/qos). */
import type { LinuxContainerResources } from '../../../gen/cri.ts';
import { allContainers, type PodSpec, type Resources } from './manifest.ts';

const periodUs = 100_000n;

export function containerResources(resources: Resources, oomScoreAdj: number): LinuxContainerResources {
  return {
    cpuPeriod: resources.cpuLimitMilli === undefined ? 0n : periodUs,
    cpuQuota: resources.cpuLimitMilli === undefined ? 0n : cpuQuota(resources.cpuLimitMilli),
    cpuShares: cpuShares(resources.cpuRequestMilli ?? 0),
    memoryLimitInBytes: resources.memoryLimit ?? 0n,
    oomScoreAdj: BigInt(oomScoreAdj),
    cpusetCpus: '',
    cpusetMems: '',
    hugepageLimits: [...resources.hugepages].map(([pageSize, limit]) => ({ pageSize, limit })),
    unified: {},
    memorySwapLimitInBytes: 0n,
  };
}

/** What the whole pod may use: init containers run one after the other, so only the greatest of them counts. A limit needs all to have one. */
export function podResources(spec: PodSpec): LinuxContainerResources {
  const steady = [...spec.containers, ...spec.initContainers.filter((one) => one.sidecar)].map((one) => one.resources);
  const passing = spec.initContainers.filter((one) => !one.sidecar).map((one) => one.resources);
  const total = <T extends number | bigint>(of: (one: Resources) => T | undefined, add: (a: T, b: T) => T, zero: T) => {
    const sum = steady.map(of).reduce((all: T, one) => add(all, one ?? zero), zero);
    return passing.map(of).reduce((most: T, one) => ((one ?? zero) > most ? (one ?? zero) : most), sum);
  };
  const cpu = (of: (one: Resources) => number | undefined) => total(of, (a, b) => a + b, 0);
  const memory = (of: (one: Resources) => bigint | undefined) => total(of, (a, b) => a + b, 0n);
  const all = (of: (one: Resources) => unknown) => [...steady, ...passing].every((one) => of(one) !== undefined);

  const sum: Resources = {
    cpuRequestMilli: cpu((one) => one.cpuRequestMilli),
    cpuLimitMilli: all((one) => one.cpuLimitMilli) ? cpu((one) => one.cpuLimitMilli) : undefined,
    memoryRequest: undefined,
    memoryLimit: all((one) => one.memoryLimit) ? memory((one) => one.memoryLimit) : undefined,
    hugepages: new Map(),
  };
  return containerResources(sum, 0);
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

export function qosClass(spec: PodSpec): QosClass {
  const all = allContainers(spec).map((one) => one.resources);
  if (all.every((one) => one.cpuRequestMilli === undefined && one.memoryRequest === undefined)) return 'BestEffort';
  const fixed = (one: Resources) =>
    one.cpuLimitMilli !== undefined && one.memoryLimit !== undefined && one.cpuLimitMilli === one.cpuRequestMilli && one.memoryLimit === one.memoryRequest;
  return all.every(fixed) ? 'Guaranteed' : 'Burstable';
}

/** Who is killed first when memory runs out: those who asked for nothing, then those who asked for little. */
export function oomScoreAdj(qos: QosClass, resources: Resources, memoryBytes: bigint): number {
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const share = memoryBytes === 0n ? 0 : Number(((resources.memoryRequest ?? 0n) * 1000n) / memoryBytes);
  return Math.min(999, Math.max(3, 1000 - share));
}

function cpuShares(milli: number): bigint {
  return BigInt(Math.min(262_144, Math.max(2, Math.floor((milli * 1024) / 1000))));
}

/** The kernel refuses less than 1 ms. */
function cpuQuota(milli: number): bigint {
  if (milli === 0) return 0n;
  const quota = (BigInt(milli) * periodUs) / 1000n;
  return quota < 1000n ? 1000n : quota;
}
