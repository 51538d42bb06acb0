/** Reads cgroup v1 controllers (kernel: Documentation/admin-guide/cgroup-v1). */
import { join } from 'node:path';
import { parseFlatKeyed, parseNumber } from './cgroup-file.ts';
import type { CgroupFiles } from './cgroup-file.ts';
import type { CgroupStats, CpuStats, IoStats, MemoryStats, SwapStats } from './cgroup-stats.ts';
import { readPressure } from './cgroup-pressure.ts';

type Directories = ReadonlyMap<string, string>;
/** Reads a file of a controller; undefined when that controller is not mounted. */
type Read = (controller: string, file: string) => string | undefined;

/** "No limit" is the largest multiple of the page size that fits a signed 64-bit number. */
const unlimited = 0x7fff_ffff_ffff_0000n;
const nsPerTick = 10_000_000n; // USER_HZ is 100 on every architecture that containers run on

/** `directories` has the cgroup's directory by controller; `unified` its cgroup2 side on hybrid, where pressure is found. */
export function readStatsV1(directories: Directories, unified: string | undefined, processes: bigint, files: CgroupFiles): Omit<CgroupStats, 'at'> {
  const read: Read = (controller, file) => {
    const directory = directories.get(controller);
    return directory === undefined ? undefined : files.text(join(directory, file));
  };
  const stat = parseFlatKeyed(read('memory', 'memory.stat'));
  const memory = readMemory(read, stat);
  return {
    cpu: readCpu(read),
    memory,
    swap: readSwap(read, stat, memory),
    pids: { threads: parseNumber(read('pids', 'pids.current')), limit: parseNumber(read('pids', 'pids.max')), processes },
    io: readIo(read),
    pressure: unified === undefined ? { cpu: undefined, memory: undefined, io: undefined } : readPressure(unified, files),
  };
}

function readCpu(read: Read): CpuStats | undefined {
  const usageNs = parseNumber(read('cpuacct', 'cpuacct.usage'));
  if (usageNs === undefined) return undefined;
  const ticks = parseFlatKeyed(read('cpuacct', 'cpuacct.stat'));
  const quota = parseFlatKeyed(read('cpu', 'cpu.stat'));
  const inNs = (value: bigint | undefined): bigint | undefined => (value === undefined ? undefined : value * nsPerTick);
  return {
    usageNs,
    userNs: parseNumber(read('cpuacct', 'cpuacct.usage_user')) ?? inNs(ticks.get('user')),
    systemNs: parseNumber(read('cpuacct', 'cpuacct.usage_sys')) ?? inNs(ticks.get('system')),
    periods: quota.get('nr_periods'),
    throttledPeriods: quota.get('nr_throttled'),
    throttledNs: quota.get('throttled_time'),
  };
}

function readMemory(read: Read, stat: ReadonlyMap<string, bigint>): MemoryStats | undefined {
  const usage = parseNumber(read('memory', 'memory.usage_in_bytes'));
  if (usage === undefined) return undefined;
  const inactiveFile = stat.get('total_inactive_file') ?? 0n;
  const workingSet = usage > inactiveFile ? usage - inactiveFile : 0n;
  const limit = limitOf(read('memory', 'memory.limit_in_bytes'));
  return {
    usage,
    workingSet,
    rss: stat.get('total_rss'),
    cache: stat.get('total_cache'),
    mappedFile: stat.get('total_mapped_file'),
    kernel: parseNumber(read('memory', 'memory.kmem.usage_in_bytes')),
    peak: parseNumber(read('memory', 'memory.max_usage_in_bytes')),
    failures: parseNumber(read('memory', 'memory.failcnt')),
    pageFaults: stat.get('total_pgfault'),
    majorPageFaults: stat.get('total_pgmajfault'),
    limit,
    available: availableOf(limit, workingSet),
    oomKills: parseFlatKeyed(read('memory', 'memory.oom_control')).get('oom_kill'),
  };
}

/** v1 limits and counts memory and swap together. */
function readSwap(read: Read, stat: ReadonlyMap<string, bigint>, memory: MemoryStats | undefined): SwapStats | undefined {
  const usage = stat.get('total_swap');
  if (usage === undefined || memory === undefined) return undefined;
  const both = limitOf(read('memory', 'memory.memsw.limit_in_bytes'));
  const limit = both === undefined || memory.limit === undefined ? undefined : both - memory.limit;
  return { usage, limit, available: availableOf(limit, usage) };
}

function limitOf(text: string | undefined): bigint | undefined {
  const value = parseNumber(text);
  return value === undefined || value >= unlimited ? undefined : value;
}

function availableOf(limit: bigint | undefined, used: bigint): bigint | undefined {
  return limit === undefined ? undefined : limit > used ? limit - used : 0n;
}

function readIo(read: Read): IoStats | undefined {
  const bytes = sumByOperation(read('blkio', 'blkio.throttle.io_service_bytes_recursive'));
  const operations = sumByOperation(read('blkio', 'blkio.throttle.io_serviced_recursive'));
  if (bytes === undefined || operations === undefined) return undefined;
  return { readBytes: bytes.read, writeBytes: bytes.write, reads: operations.read, writes: operations.write };
}

/** `MAJOR:MINOR Read N` lines, summed over the devices. */
function sumByOperation(text: string | undefined): { read: bigint; write: bigint } | undefined {
  if (text === undefined) return undefined;
  const sum = { read: 0n, write: 0n };
  for (const line of text.split('\n')) {
    const [, operation, word] = line.split(' ');
    const value = parseNumber(word) ?? 0n;
    if (operation === 'Read') sum.read += value;
    if (operation === 'Write') sum.write += value;
  }
  return sum;
}
