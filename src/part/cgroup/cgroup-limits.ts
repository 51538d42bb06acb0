/** Reading a cgroup's limits before a change and putting them back when it fails halfway; writing those that runtimes don't. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../../base/errors.ts';
import { hostCgroupFiles, parseFlatKeyed, parseNumber } from './cgroup-file.ts';
import { limitedPath } from './cgroup-layout.ts';
import type { CgroupLayout } from './cgroup-layout.ts';

/** One limit as its file had it. */
export interface SavedLimit {
  readonly file: string;
  readonly text: string;
}

const filesV1: Readonly<Record<string, readonly string[]>> = {
  cpu: ['cpu.shares', 'cpu.cfs_period_us', 'cpu.cfs_quota_us'],
  cpuset: ['cpuset.cpus', 'cpuset.mems'],
  memory: ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'],
};
const filesV2: readonly string[] = ['cpu.weight', 'cpu.max', 'cpuset.cpus', 'cpuset.mems', 'memory.max', 'memory.swap.max'];

/** The limits that an update could change; `unified` are further v2 files. A file that isn't there is left out. */
export function saveLimits(layout: CgroupLayout, path: string, unified: readonly string[]): SavedLimit[] {
  return limitFiles(layout, path, unified).flatMap((file) => {
    const text = hostCgroupFiles.text(file);
    return text === undefined ? [] : [{ file, text }];
  });
}

/**
 * Writes back every limit that is not what it was. Twice over, since some can't be written before others (v1's memory limit is never
 * above that of memory and swap). Returns the files that still differ.
 */
export function putBackLimits(saved: readonly SavedLimit[]): string[] {
  const differ = (): SavedLimit[] => saved.filter(({ file, text }) => hostCgroupFiles.text(file) !== text);
  for (let pass = 0; pass < 2; pass++) for (const { file, text } of differ()) tryWrite(file, text);
  return differ().map(({ file }) => file);
}

/** Takes a CPU quota away on cgroup v1, where not every runtime can. On v2 there is nothing to do. */
export function dropQuotaV1(layout: CgroupLayout, path: string): void {
  const mount = layout.controllers.get('cpu');
  if (mount !== undefined) writeFileSync(join(mount, path, 'cpu.cfs_quota_us'), '-1', { flag: 'r+' });
}

/** Limits the huge pages of one size (`2MB`), in bytes. A size that the machine has not is failed-precondition. */
export function limitHugepages(layout: CgroupLayout, path: string, { pageSize, limit }: { pageSize: string; limit: bigint }): void {
  const [mount, name] = layout.mode === 'v2' ? [layout.unified, 'max'] : [layout.controllers.get('hugetlb'), 'limit_in_bytes'];
  const file = join(mount ?? '/', limitedPath(layout, path), `hugetlb.${pageSize}.${name}`);
  try {
    writeFileSync(file, String(limit), { flag: 'r+' });
  } catch (cause) {
    throw failure('failed-precondition', { act: 'limit huge pages of', object: pageSize, why: `cannot write ${file}; see /sys/kernel/mm/hugepages for the sizes of this node`, cause });
  }
}

/**
 * Bytes that the kernel could not take back without killing: usage without page cache and reclaimable kernel memory. Undefined when the
 * cgroup is gone or memory isn't counted. Swap is not counted on.
 */
export function readUnreclaimable(layout: CgroupLayout, path: string): bigint | undefined {
  const v2 = layout.mode === 'v2';
  const mount = v2 ? layout.unified : layout.controllers.get('memory');
  if (mount === undefined) return undefined;
  const usage = parseNumber(hostCgroupFiles.text(join(mount, path, v2 ? 'memory.current' : 'memory.usage_in_bytes')));
  if (usage === undefined) return undefined;
  const stat = parseFlatKeyed(hostCgroupFiles.text(join(mount, path, 'memory.stat')));
  const keys = v2 ? ['inactive_file', 'active_file', 'slab_reclaimable'] : ['total_inactive_file', 'total_active_file'];
  const reclaimable = keys.reduce((sum, key) => sum + (stat.get(key) ?? 0n), 0n);
  return usage > reclaimable ? usage - reclaimable : 0n;
}

function limitFiles(layout: CgroupLayout, path: string, unified: readonly string[]): string[] {
  if (layout.mode !== 'v2') {
    return [...layout.controllers].flatMap(([controller, mount]) => {
      const directory = join(mount, path);
      return [...(filesV1[controller] ?? []), ...(controller === 'hugetlb' ? hugetlbFiles(directory, 'limit_in_bytes') : [])].map((name) => join(directory, name));
    });
  }
  // systemd writes some limits (cpu.weight) to the scope even where crun keeps them below it.
  return [...new Set([path, limitedPath(layout, path)])].map((each) => join(layout.unified ?? '/', each)).flatMap((directory) =>
    [...filesV2, ...hugetlbFiles(directory, 'max'), ...unified].map((name) => join(directory, name)));
}

function hugetlbFiles(directory: string, ending: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.startsWith('hugetlb.') && name.endsWith(`B.${ending}`));
  } catch {
    return []; // gone
  }
}

/** A file that refuses shows as one that still differs. */
function tryWrite(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'r+' });
  } catch {}
}
