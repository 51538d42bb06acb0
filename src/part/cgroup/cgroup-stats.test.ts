import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CgroupFiles } from './cgroup-file.ts';
import { readOomKillsAround } from './cgroup-stats.ts';
import type { CgroupLayout } from './cgroup-layout.ts';
import { readStatsV1 } from './cgroup-stats-v1.ts';
import { readStatsV2 } from './cgroup-stats-v2.ts';

function filesOf(texts: Readonly<Record<string, string>>): CgroupFiles {
  return { text: (path) => texts[path] };
}

const mi = 1n << 20n;
const pressure = 'some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n';

test('v2: every figure', () => {
  const files = filesOf({
    '/c/cpu.stat': 'usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 900\n',
    '/c/memory.current': `${100n * mi}\n`,
    '/c/memory.max': `${128n * mi}\n`,
    '/c/memory.peak': `${110n * mi}\n`,
    '/c/memory.stat': `anon ${60n * mi}\nfile ${35n * mi}\nkernel ${5n * mi}\nfile_mapped ${mi}\ninactive_file ${30n * mi}\npgfault 42\npgmajfault 2\n`,
    '/c/memory.events': 'low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\noom_group_kill 0\n',
    '/c/memory.swap.current': `${mi}\n`,
    '/c/memory.swap.max': `${4n * mi}\n`,
    '/c/pids.current': '12\n',
    '/c/pids.max': 'max\n',
    '/c/io.stat': '8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n254:0 rbytes=10 wbytes=20 rios=3 wios=4 dbytes=0 dios=0\n',
    '/c/cpu.pressure': pressure,
    '/c/memory.pressure': pressure,
    '/c/io.pressure': pressure,
  });

  const stats = readStatsV2({ directory: '/c', limited: '/c' }, 5n, files);

  assert.deepEqual(stats.cpu, { usageNs: 2_500_000_000n, userNs: 2_000_000_000n, systemNs: 500_000_000n, periods: 10n, throttledPeriods: 3n, throttledNs: 900_000n });
  assert.deepEqual(stats.memory, {
    usage: 100n * mi, workingSet: 70n * mi, rss: 60n * mi, cache: 35n * mi, mappedFile: mi, kernel: 5n * mi, peak: 110n * mi, failures: 4n,
    pageFaults: 42n, majorPageFaults: 2n, limit: 128n * mi, available: 58n * mi, oomKills: 1n,
  });
  assert.deepEqual(stats.swap, { usage: mi, limit: 4n * mi, available: 3n * mi });
  assert.deepEqual(stats.pids, { threads: 12n, limit: undefined, processes: 5n });
  assert.deepEqual(stats.io, { readBytes: 110n, writeBytes: 220n, reads: 4n, writes: 6n });
  assert.deepEqual(stats.pressure.memory, { some: { avg10: 1.5, avg60: 0.25, avg300: 0, totalNs: 1_234_000n }, full: { avg10: 0, avg60: 0, avg300: 0, totalNs: 7000n } });
});

test('v2: no limit is no number, and no file is no figure', () => {
  const stats = readStatsV2({ directory: '/c', limited: '/c' }, 0n, filesOf({ '/c/memory.current': '10\n', '/c/memory.max': 'max\n' }));

  assert.equal(stats.memory?.limit, undefined);
  assert.equal(stats.memory?.available, undefined);
  assert.equal(stats.memory?.workingSet, 10n);
  assert.deepEqual([stats.cpu, stats.swap, stats.io, stats.pressure.cpu], [undefined, undefined, undefined, undefined]);
});

const directories = new Map(['cpu', 'cpuacct', 'memory', 'pids', 'blkio'].map((name) => [name, `/${name}/c`]));

test('v1: every figure, and pressure from the unified side', () => {
  const files = filesOf({
    '/cpuacct/c/cpuacct.usage': '2500000000\n',
    '/cpuacct/c/cpuacct.stat': 'user 200\nsystem 50\n',
    '/cpu/c/cpu.stat': 'nr_periods 10\nnr_throttled 3\nthrottled_time 900000\n',
    '/memory/c/memory.usage_in_bytes': `${100n * mi}\n`,
    '/memory/c/memory.limit_in_bytes': `${128n * mi}\n`,
    '/memory/c/memory.memsw.limit_in_bytes': `${130n * mi}\n`,
    '/memory/c/memory.max_usage_in_bytes': `${110n * mi}\n`,
    '/memory/c/memory.kmem.usage_in_bytes': `${5n * mi}\n`,
    '/memory/c/memory.failcnt': '4\n',
    '/memory/c/memory.stat': `cache 1\nrss 1\ntotal_cache ${35n * mi}\ntotal_rss ${60n * mi}\ntotal_mapped_file ${mi}\ntotal_swap ${mi}\ntotal_pgfault 42\ntotal_pgmajfault 2\ntotal_inactive_file ${30n * mi}\n`,
    '/memory/c/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    '/pids/c/pids.current': '12\n',
    '/pids/c/pids.max': '100\n',
    '/blkio/c/blkio.throttle.io_service_bytes_recursive': '8:0 Read 100\n8:0 Write 200\n8:0 Sync 5\n8:0 Total 300\n254:0 Read 10\n254:0 Write 20\nTotal 330\n',
    '/blkio/c/blkio.throttle.io_serviced_recursive': '8:0 Read 1\n8:0 Write 2\nTotal 3\n',
    '/unified/c/io.pressure': pressure,
  });

  const stats = readStatsV1(directories, '/unified/c', 5n, files);

  assert.deepEqual(stats.cpu, { usageNs: 2_500_000_000n, userNs: 2_000_000_000n, systemNs: 500_000_000n, periods: 10n, throttledPeriods: 3n, throttledNs: 900_000n });
  assert.deepEqual(stats.memory, {
    usage: 100n * mi, workingSet: 70n * mi, rss: 60n * mi, cache: 35n * mi, mappedFile: mi, kernel: 5n * mi, peak: 110n * mi, failures: 4n,
    pageFaults: 42n, majorPageFaults: 2n, limit: 128n * mi, available: 58n * mi, oomKills: 1n,
  });
  assert.deepEqual(stats.swap, { usage: mi, limit: 2n * mi, available: mi });
  assert.deepEqual(stats.pids, { threads: 12n, limit: 100n, processes: 5n });
  assert.deepEqual(stats.io, { readBytes: 110n, writeBytes: 220n, reads: 1n, writes: 2n });
  assert.equal(stats.pressure.io?.some.totalNs, 1_234_000n);
  assert.equal(stats.pressure.cpu, undefined);
});

test('v1: the largest number means no limit, and a working set is never negative', () => {
  const stats = readStatsV1(directories, undefined, 0n, filesOf({
    '/memory/c/memory.usage_in_bytes': '10\n',
    '/memory/c/memory.limit_in_bytes': '9223372036854771712\n',
    '/memory/c/memory.stat': 'total_inactive_file 20\ntotal_swap 0\n',
  }));

  assert.equal(stats.memory?.workingSet, 0n);
  assert.equal(stats.memory?.limit, undefined);
  assert.deepEqual(stats.swap, { usage: 0n, limit: undefined, available: undefined });
});

test('v2: of a scope whose limits crun has set on a cgroup inside, use is the scope\'s and limits and throttling are what is inside', () => {
  const files = filesOf({
    '/s.slice/gantry-x.scope/cpu.stat': 'usage_usec 2500\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n',
    '/s.slice/gantry-x.scope/memory.current': '100\n',
    '/s.slice/gantry-x.scope/memory.max': 'max\n',
    '/s.slice/gantry-x.scope/memory.swap.current': '5\n',
    '/s.slice/gantry-x.scope/memory.swap.max': 'max\n',
    '/s.slice/gantry-x.scope/pids.max': '1000\n',
    '/s.slice/gantry-x.scope/container/cpu.stat': 'usage_usec 2400\nnr_periods 10\nnr_throttled 3\nthrottled_usec 900\n',
    '/s.slice/gantry-x.scope/container/memory.max': '300\n',
    '/s.slice/gantry-x.scope/container/memory.swap.max': '50\n',
    '/s.slice/gantry-x.scope/container/pids.max': '20\n',
  });

  const stats = readStatsV2({ directory: '/s.slice/gantry-x.scope', limited: '/s.slice/gantry-x.scope/container' }, 1n, files);

  assert.deepEqual(stats.cpu, { usageNs: 2_500_000n, userNs: undefined, systemNs: undefined, periods: 10n, throttledPeriods: 3n, throttledNs: 900_000n });
  assert.equal(stats.memory?.limit, 300n);
  assert.equal(stats.memory.available, 200n);
  assert.deepEqual(stats.swap, { usage: 5n, limit: 50n, available: 45n });
  assert.equal(stats.pids?.limit, 20n);
});

test('kills for memory around a cgroup are those of its parent on v2, and unknown on v1', () => {
  const v2: CgroupLayout = { mode: 'v2', controllers: new Map(), unified: '/c', unifiedControllers: ['memory'], hugetlb: false };
  const files = filesOf({ '/c/pod/memory.events': 'max 4\noom 3\noom_kill 2\n' });

  assert.equal(readOomKillsAround(v2, '/pod/a', files), 2);
  assert.equal(readOomKillsAround(v2, '/gone/a', files), undefined);
  assert.equal(readOomKillsAround({ ...v2, mode: 'hybrid' }, '/pod/a', files), undefined);
});
