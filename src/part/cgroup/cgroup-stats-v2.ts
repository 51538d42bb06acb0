/** Reads a cgroup of the unified hierarchy (kernel: Documentation/admin-guide/cgroup-v2.rst). */
import { join } from 'node:path';
import { parseFlatKeyed, parseNumber } from './cgroup-file.ts';
import type { CgroupFiles } from './cgroup-file.ts';
import type { CgroupStats, CpuStats, IoStats, MemoryStats, SwapStats } from './cgroup-stats.ts';
import { readPressure } from './cgroup-pressure.ts';

type Read = (file: string) => string | undefined;

/** `limited` is where its limits are, and what is counted of them (limitedPath). */
export function readStatsV2({ directory, limited }: { directory: string; limited: string }, processes: bigint, files: CgroupFiles): Omit<CgroupStats, 'at'> {
  const read: Read = (file) => files.text(join(directory, file));
  const limit: Read = (file) => files.text(join(limited, file));
  return {
    cpu: readCpu(read, limit),
    memory: readMemory(read, limit),
    swap: readSwap(read, limit),
    pids: { threads: parseNumber(read('pids.current')), limit: parseNumber(limit('pids.max')), processes },
    io: readIo(read),
    pressure: readPressure(directory, files),
  };
}

function readCpu(read: Read, limited: Read): CpuStats | undefined {
  const stat = parseFlatKeyed(read('cpu.stat'));
  const inNs = (key: string): bigint | undefined => {
    const value = stat.get(key);
    return value === undefined ? undefined : value * 1000n;
  };
  const usageNs = inNs('usage_usec');
  if (usageNs === undefined) return undefined;
  const quota = parseFlatKeyed(limited('cpu.stat'));
  const throttledUs = quota.get('throttled_usec');
  return {
    usageNs,
    userNs: inNs('user_usec'),
    systemNs: inNs('system_usec'),
    periods: quota.get('nr_periods'),
    throttledPeriods: quota.get('nr_throttled'),
    throttledNs: throttledUs === undefined ? undefined : throttledUs * 1000n,
  };
}

function readMemory(read: Read, limited: Read): MemoryStats | undefined {
  const usage = parseNumber(read('memory.current'));
  if (usage === undefined) return undefined;
  const stat = parseFlatKeyed(read('memory.stat'));
  const events = parseFlatKeyed(read('memory.events'));
  const inactiveFile = stat.get('inactive_file') ?? 0n;
  const workingSet = usage > inactiveFile ? usage - inactiveFile : 0n;
  const limit = parseNumber(limited('memory.max'));
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

function readSwap(read: Read, limited: Read): SwapStats | undefined {
  const usage = parseNumber(read('memory.swap.current'));
  if (usage === undefined) return undefined;
  const limit = parseNumber(limited('memory.swap.max'));
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
