/** Reads a cgroup of the unified hierarchy (kernel: Documentation/admin-guide/cgroup-v2.rst). */
import { join } from 'node:path';
import { parseFlatKeyed, parseNumber } from './cgroup-file.ts';
import type { CgroupFiles } from './cgroup-file.ts';
import type { CgroupStats, CpuStats, IoStats, MemoryStats, SwapStats } from './cgroup-stats.ts';
import { readPressure } from './cgroup-pressure.ts';

type Read = (file: string) => string | undefined;
type ReadLimit = (file: string) => bigint | undefined;

function lowest(one: bigint | undefined, other: bigint | undefined): bigint | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one < other ? one : other;
}

/**
 * What a cgroup and all below it uses. Under systemd crun gives the processes of a scope a cgroup `container` of their own, and
 * sets the limits there and not on the scope (seen with crun 1.8): so limits, and what they brake, are looked for in both.
 */
export function readStatsV2(directory: string, processes: bigint, files: CgroupFiles): Omit<CgroupStats, 'at'> {
  const read: Read = (file) => files.text(join(directory, file));
  const below: Read = (file) => (directory.endsWith('.scope') ? files.text(join(directory, 'container', file)) : undefined);
  const limit: ReadLimit = (file) => lowest(parseNumber(read(file)), parseNumber(below(file)));
  return {
    cpu: readCpu(read, below),
    memory: readMemory(read, limit),
    swap: readSwap(read, limit),
    pids: { threads: parseNumber(read('pids.current')), limit: limit('pids.max'), processes },
    io: readIo(read),
    pressure: readPressure(directory, files),
  };
}

/** Time is counted with all below; throttling only where the quota is set. */
function readCpu(read: Read, below: Read): CpuStats | undefined {
  const stat = parseFlatKeyed(read('cpu.stat'));
  const inner = parseFlatKeyed(below('cpu.stat'));
  const braked = (inner.get('nr_periods') ?? 0n) > 0n ? inner : stat;
  const inNs = (key: string, from = stat): bigint | undefined => {
    const value = from.get(key);
    return value === undefined ? undefined : value * 1000n;
  };
  const usageNs = inNs('usage_usec');
  if (usageNs === undefined) return undefined;
  return {
    usageNs,
    userNs: inNs('user_usec'),
    systemNs: inNs('system_usec'),
    periods: braked.get('nr_periods'),
    throttledPeriods: braked.get('nr_throttled'),
    throttledNs: inNs('throttled_usec', braked),
  };
}

function readMemory(read: Read, readLimit: ReadLimit): MemoryStats | undefined {
  const usage = parseNumber(read('memory.current'));
  if (usage === undefined) return undefined;
  const stat = parseFlatKeyed(read('memory.stat'));
  const events = parseFlatKeyed(read('memory.events'));
  const inactiveFile = stat.get('inactive_file') ?? 0n;
  const workingSet = usage > inactiveFile ? usage - inactiveFile : 0n;
  const limit = readLimit('memory.max');
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

function readSwap(read: Read, readLimit: ReadLimit): SwapStats | undefined {
  const usage = parseNumber(read('memory.swap.current'));
  if (usage === undefined) return undefined;
  const limit = readLimit('memory.swap.max');
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
