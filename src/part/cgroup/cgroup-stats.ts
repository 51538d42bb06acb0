/** What a cgroup uses, as plain numbers: one shape for cgroup v1, hybrid and v2. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hostCgroupFiles, parseFlatKeyed } from './cgroup-file.ts';
import type { CgroupFiles } from './cgroup-file.ts';
import { limitedPath } from './cgroup-layout.ts';
import type { CgroupLayout } from './cgroup-layout.ts';
import { readStatsV1 } from './cgroup-stats-v1.ts';
import { readStatsV2 } from './cgroup-stats-v2.ts';
import { pidsBelow } from './cgroup-tree.ts';

/** A member is undefined when the host does not measure it. Bytes are bytes; counts go on since the cgroup was made. */
export interface CgroupStats {
  /** When it was read: nanoseconds since 1970. */
  readonly at: bigint;
  readonly cpu: CpuStats | undefined;
  readonly memory: MemoryStats | undefined;
  readonly swap: SwapStats | undefined;
  readonly pids: PidsStats | undefined;
  readonly io: IoStats | undefined;
  readonly pressure: PressureStats;
}

export interface CpuStats {
  /** Nanoseconds of all CPUs. */
  readonly usageNs: bigint;
  readonly userNs: bigint | undefined;
  readonly systemNs: bigint | undefined;
  /** Enforcement periods of the CPU quota: how many there were, in how many it was throttled, for how long. */
  readonly periods: bigint | undefined;
  readonly throttledPeriods: bigint | undefined;
  readonly throttledNs: bigint | undefined;
}

export interface MemoryStats {
  readonly usage: bigint;
  /** Usage without the page cache that could be dropped at once. */
  readonly workingSet: bigint;
  readonly rss: bigint | undefined;
  readonly cache: bigint | undefined;
  readonly mappedFile: bigint | undefined;
  readonly kernel: bigint | undefined;
  /** Highest usage so far. */
  readonly peak: bigint | undefined;
  /** How often the limit was hit. */
  readonly failures: bigint | undefined;
  readonly pageFaults: bigint | undefined;
  readonly majorPageFaults: bigint | undefined;
  /** Undefined when there is none. */
  readonly limit: bigint | undefined;
  /** Limit less working set; undefined without a limit. */
  readonly available: bigint | undefined;
  /** Processes of this cgroup that the kernel killed for memory. */
  readonly oomKills: bigint | undefined;
}

export interface SwapStats {
  readonly usage: bigint;
  /** Undefined when there is no limit. */
  readonly limit: bigint | undefined;
  readonly available: bigint | undefined;
}

export interface PidsStats {
  /** Threads count as well: what pids.max limits. */
  readonly threads: bigint | undefined;
  /** Undefined when there is none. */
  readonly limit: bigint | undefined;
  readonly processes: bigint;
}

export interface IoStats {
  readonly readBytes: bigint;
  readonly writeBytes: bigint;
  readonly reads: bigint;
  readonly writes: bigint;
}

/** Pressure stall information; each undefined without PSI in the kernel. */
export interface PressureStats {
  readonly cpu: Pressure | undefined;
  readonly memory: Pressure | undefined;
  readonly io: Pressure | undefined;
}

export interface Pressure {
  readonly some: PressureLine;
  /** Zero on kernels before 5.13 for cpu, which had no such line. */
  readonly full: PressureLine;
}

export interface PressureLine {
  /** Share of the last 10, 60 and 300 seconds, in percent. */
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  /** Nanoseconds stalled in all. */
  readonly totalNs: bigint;
}

/** Reads what the cgroup at this path uses now; undefined when there is no such cgroup. */
export function readCgroupStats(layout: CgroupLayout, path: string, files: CgroupFiles = hostCgroupFiles): CgroupStats | undefined {
  const at = BigInt(Date.now()) * 1_000_000n;
  const unified = layout.unified === undefined ? undefined : join(layout.unified, path);
  if (layout.mode === 'v2') {
    if (unified === undefined || !existsSync(unified)) return undefined;
    return { at, ...readStatsV2({ directory: unified, limited: join(layout.unified!, limitedPath(layout, path)) }, processCount(layout, path), files) };
  }
  const directories = new Map([...layout.controllers].map(([name, mount]) => [name, join(mount, path)]));
  if (![...directories.values()].some((directory) => existsSync(directory))) return undefined;
  return { at, ...readStatsV1(directories, unified, processCount(layout, path), files) };
}

/** The `oom_kill` counter of a container's cgroup alone; undefined when it is gone. */
export function readOomKills(layout: CgroupLayout, path: string): number | undefined {
  const oomKills = readCgroupStats(layout, path)?.memory?.oomKills;
  return oomKills === undefined ? undefined : Number(oomKills);
}

/**
 * How many processes were killed for memory in the cgroup above this one and everywhere below that. Undefined when it is gone, and on
 * cgroup v1, where a cgroup counts its own alone.
 */
export function readOomKillsAround(layout: CgroupLayout, path: string, files: CgroupFiles = hostCgroupFiles): number | undefined {
  if (layout.mode !== 'v2' || layout.unified === undefined) return undefined;
  const oomKills = parseFlatKeyed(files.text(join(layout.unified, dirname(path), 'memory.events'))).get('oom_kill');
  return oomKills === undefined ? undefined : Number(oomKills);
}

/** One hierarchy will do: every process of a container is in all of them. */
function processCount(layout: CgroupLayout, path: string): bigint {
  const mount = layout.controllers.get('pids') ?? layout.controllers.get('memory') ?? layout.unified;
  return mount === undefined ? 0n : BigInt(pidsBelow(join(mount, path)).length);
}
