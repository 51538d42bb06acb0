/**
 * What a container uses, in the shape of Docker's stats. What the CRI does not measure of a container (processes, bytes of block devices) is left out: clients
 * show it as zero. The traffic is the pod's, and is told of the pod only, so that nobody adds it up twice.
 */
import type { ContainerStats, CpuUsage, MemoryUsage, NetworkInterfaceUsage, PodSandboxStats } from '../../gen/cri.ts';
import { never, timestamp } from './moments.ts';

export interface Sample {
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
  /** Of all processors together since some moment in the past, in nanoseconds: what `cpu` is a part of. */
  readonly hostCpuNs: bigint;
  readonly cpu: CpuUsage | undefined;
  readonly memory: MemoryUsage | undefined;
  readonly processes: bigint | undefined;
  readonly interfaces: readonly NetworkInterfaceUsage[];
}

export interface StatsContext {
  readonly id: string;
  readonly name: string;
  readonly processors: number;
  /** Bytes; what the node has where the container has no limit. */
  readonly memoryLimit: bigint;
}

type HostFigures = Pick<Sample, 'at' | 'hostCpuNs'>;

export function containerSample({ cpu, memory }: ContainerStats, host: HostFigures): Sample {
  return { ...host, cpu, memory, processes: undefined, interfaces: [] };
}

export function podSample({ linux }: PodSandboxStats, host: HostFigures): Sample {
  const { defaultInterface, interfaces = [] } = linux?.network ?? {};
  return {
    ...host, cpu: linux?.cpu, memory: linux?.memory, processes: linux?.process?.processCount?.value,
    interfaces: defaultInterface === undefined ? interfaces : [defaultInterface, ...interfaces],
  };
}

/** `before` is what rates are counted from; without it clients show none. */
export function statsDocument(sample: Sample, before: Sample | undefined, { id, name, processors, memoryLimit }: StatsContext): object {
  return {
    id,
    name: `/${name}`,
    read: timestamp(sample.at),
    preread: before === undefined ? never : timestamp(before.at),
    pids_stats: sample.processes === undefined ? {} : { current: sample.processes },
    blkio_stats: { io_service_bytes_recursive: null, io_serviced_recursive: null, io_queue_recursive: null, io_service_time_recursive: null, io_wait_time_recursive: null, io_merged_recursive: null, io_time_recursive: null, sectors_recursive: null },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuDocument(sample, processors),
    precpu_stats: cpuDocument(before, processors),
    memory_stats: sample.memory === undefined ? {} : memoryDocument(sample.memory, memoryLimit),
    ...(sample.interfaces.length === 0 ? {} : { networks: Object.fromEntries(sample.interfaces.map((one) => [one.name, interfaceDocument(one)])) }),
  };
}

function cpuDocument(sample: Sample | undefined, processors: number): object {
  const usage = { total_usage: sample?.cpu?.usageCoreNanoSeconds?.value ?? 0n, usage_in_kernelmode: 0, usage_in_usermode: 0 };
  const throttling_data = { periods: 0, throttled_periods: 0, throttled_time: 0 };
  return sample?.cpu === undefined ? { cpu_usage: usage, throttling_data } : { cpu_usage: usage, system_cpu_usage: sample.hostCpuNs, online_cpus: processors, throttling_data };
}

/** Docker's own client shows usage without the inactive part of the page cache, which cgroup v1 and v2 name each in its way. */
function memoryDocument({ usageBytes, workingSetBytes, rssBytes, pageFaults, majorPageFaults }: MemoryUsage, limit: bigint): object {
  const usage = usageBytes?.value ?? workingSetBytes?.value ?? 0n;
  const inactive = usage - (workingSetBytes?.value ?? usage);
  return {
    usage,
    limit,
    stats: {
      inactive_file: inactive, total_inactive_file: inactive, anon: rssBytes?.value ?? 0n, rss: rssBytes?.value ?? 0n, total_rss: rssBytes?.value ?? 0n,
      pgfault: pageFaults?.value ?? 0n, pgmajfault: majorPageFaults?.value ?? 0n,
    },
  };
}

function interfaceDocument({ rxBytes, rxErrors, txBytes, txErrors }: NetworkInterfaceUsage): object {
  return {
    rx_bytes: rxBytes?.value ?? 0n, rx_packets: 0, rx_errors: rxErrors?.value ?? 0n, rx_dropped: 0,
    tx_bytes: txBytes?.value ?? 0n, tx_packets: 0, tx_errors: txErrors?.value ?? 0n, tx_dropped: 0,
  };
}
