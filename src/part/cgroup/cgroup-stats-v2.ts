/** Reads a cgroup of the unified hierarchy (kernel: Documentation/admin-guide/cgroup-v2.rst). */
import { join } from 'node:path';
import { parseFlatKeyed, parseNumber } from './cgroup-file.ts';
import type { CgroupFiles } from './cgroup-file.ts';
import type { CgroupStats, CpuStats, IoStats, MemoryStats, SwapStats } from './cgroup-stats.ts';
import { readPressure } from './cgroup-pressure.ts';

type Read = (file: string) => string | undefined;

export function readStatsV2(directory: string, processes: bigint, files: CgroupFiles): Omit<CgroupStats, 'at'> {
  const read: Read = (file) => files.text(join(directory, file));
  return {
    cpu: readCpu(read),
    memory: readMemory(read),
    swap: readSwap(read),
    pids: { threads: parseNumber(read('pids.current')), limit: parseNumber(read('pids.max')), processes },
    io: readIo(read),
    pressure: readPressure(directory, files),
  };
}

function readCpu(read: Read): CpuStats | undefined {
  const stat = parseFlatKeyed(read('cpu.stat'));
  const inNs = (key: string): bigint | undefined => {
    const value = stat.get(key);
    return value === undefined ? undefined : value * 1000n;
  };
  const usageNs = inNs('usage_usec');
  if (usageNs === undefined) return undefined;
  return {
    usageNs,
    userNs: inNs('user_usec'),
    systemNs: inNs('system_usec'),
    periods: stat.get('nr_periods'),
    throttledPeriods: stat.get('nr_throttled'),
    throttledNs: inNs('throttled_usec'),
  };
}

function readMemory(read: Read): MemoryStats | undefined {
  const usage = parseNumber(read('memory.current'));
  if (usage === undefined) return undefined;
  const stat = parseFlatKeyed(read('memory.stat'));
  const events = parseFlatKeyed(read('memory.events'));
  const inactiveFile = stat.get('inactive_file') ?? 0n;
  const workingSet = usage > inactiveFile ? usage - inactiveFile : 0n;
  const limit = parseNumber(read('memory.max'));
  return {
    usage,
    workingSet,
    rss: stat.get('anon'),
    cache: stat.get('file'),
    mappedFile: stat.get('file_mapped'),
    kernel: stat.get('kernel'),
    peak: parseNumber(read('memory.peak')),
    failures: events.get('max'),
    pageFaults: stat.get('pgfault'),
    majorPageFaults: stat.get('pgmajfault'),
    limit,
    available: availableOf(limit, workingSet),
    oomKills: events.get('oom_kill'),
  };
}

function readSwap(read: Read): SwapStats | undefined {
  const usage = parseNumber(read('memory.swap.current'));
  if (usage === undefined) return undefined;
  const limit = parseNumber(read('memory.swap.max'));
  return { usage, limit, available: availableOf(limit, usage) };
}

function availableOf(limit: bigint | undefined, used: bigint): bigint | undefined {
  return limit === undefined ? undefined : limit > used ? limit - used : 0n;
}

/** `MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N …` lines, summed over the devices. */
function readIo(read: Read): IoStats | undefined {
  const text = read('io.stat');
  if (text === undefined) return undefined;
  const sums = new Map<string, bigint>();
  for (const [, key, value] of text.matchAll(/(\w+)=(\d+)/g)) sums.set(key!, (sums.get(key!) ?? 0n) + BigInt(value!));
  const sum = (key: string): bigint => sums.get(key) ?? 0n;
  return { readBytes: sum('rbytes'), writeBytes: sum('wbytes'), reads: sum('rios'), writes: sum('wios') };
}
