import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { CgroupLayout } from './cgroup-layout.ts';
import { limitHugepages, putBackLimits, readUnreclaimable, saveLimits } from './cgroup-limits.ts';

/** A folder with these files in the place of cgroup mounts. */
function folder(t: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'gantry-limits-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

const v2 = (unified: string): CgroupLayout => ({ mode: 'v2', controllers: new Map(), unified, unifiedControllers: ['memory'], hugetlb: true });
const v1 = (root: string): CgroupLayout => ({ mode: 'v1', controllers: new Map([['memory', join(root, 'memory')], ['cpu', join(root, 'cpu')], ['hugetlb', join(root, 'hugetlb')]]), unified: undefined, unifiedControllers: [], hugetlb: true });

test('v2: limits are put back to the letter, those of the cgroup below that crun makes too', (t) => {
  const root = folder(t, { 'c/cpu.max': 'max 100000\n', 'c/memory.max': 'max\n', 'c/hugetlb.2MB.max': 'max\n', 'c/memory.high': '5\n', 'c.scope/container/memory.max': '7\n', 'c/memory.current': '1\n' });
  const saved = [...saveLimits(v2(root), '/c', ['memory.high', 'memory.none']), ...saveLimits(v2(root), '/c.scope', [])];
  for (const { file } of saved) writeFileSync(file, '9\n');

  assert.deepEqual(putBackLimits(saved), []);

  assert.equal(saved.length, 5);
  assert.deepEqual(['c/cpu.max', 'c/memory.max', 'c/hugetlb.2MB.max', 'c/memory.high', 'c.scope/container/memory.max'].map((name) => readFileSync(join(root, name), 'utf8')), ['max 100000\n', 'max\n', 'max\n', '5\n', '7\n']);
});

test('v1: each controller has its files in its own hierarchy', (t) => {
  const root = folder(t, { 'memory/c/memory.limit_in_bytes': '64\n', 'memory/c/memory.memsw.limit_in_bytes': '64\n', 'cpu/c/cpu.shares': '2\n', 'hugetlb/c/hugetlb.1GB.limit_in_bytes': '3\n', 'cpu/c/cpu.stat': 'x\n' });

  const saved = saveLimits(v1(root), '/c', []);

  assert.deepEqual(saved.map(({ file }) => file.slice(root.length)).sort(), ['/cpu/c/cpu.shares', '/hugetlb/c/hugetlb.1GB.limit_in_bytes', '/memory/c/memory.limit_in_bytes', '/memory/c/memory.memsw.limit_in_bytes']);
});

test('a file that does not take its old value is named', (t) => {
  const root = folder(t, { 'c/memory.max': '5\n' });
  const saved = saveLimits(v2(root), '/c', []);
  rmSync(join(root, 'c/memory.max'));
  mkdirSync(join(root, 'c/memory.max'));

  assert.deepEqual(putBackLimits(saved), [join(root, 'c/memory.max')]);
});

test('a size of huge pages that the machine has not is failed-precondition, and no file is made', (t) => {
  const root = folder(t, { 'c/hugetlb.2MB.max': 'max\n' });

  limitHugepages(v2(root), '/c', { pageSize: '2MB', limit: 4096n });

  assert.equal(readFileSync(join(root, 'c/hugetlb.2MB.max'), 'utf8').trim(), '4096');
  assert.throws(() => limitHugepages(v2(root), '/c', { pageSize: '1GB', limit: 1n }), { kind: 'failed-precondition', message: `limit huge pages of 1GB: cannot write ${root}/c/hugetlb.1GB.max; see /sys/kernel/mm/hugepages for the sizes of this node` });
});

test('page cache and reclaimable kernel memory are not what stands in the way of a smaller limit', (t) => {
  const root = folder(t, {
    'c/memory.current': '1000\n', 'c/memory.stat': 'anon 500\ninactive_file 200\nactive_file 100\nslab_reclaimable 50\n',
    'memory/c/memory.usage_in_bytes': '1000\n', 'memory/c/memory.stat': 'active_file 9\ntotal_inactive_file 300\ntotal_active_file 100\n',
  });

  assert.equal(readUnreclaimable(v2(root), '/c'), 650n);
  assert.equal(readUnreclaimable(v1(root), '/c'), 600n);
  assert.equal(readUnreclaimable(v2(root), '/gone'), undefined);
});
