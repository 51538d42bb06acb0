/** A small filesystem of its own for a test, in a sparse file. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface LoopFilesystem {
  readonly type: 'xfs' | 'ext4';
  /** Arguments of mkfs. */
  readonly make?: readonly string[];
  /** Options of mount(8) besides `loop`. */
  readonly options?: string;
}

/** The kinds of filesystem that count projects, switched on. */
export const countingFilesystems: readonly LoopFilesystem[] = [
  { type: 'xfs', options: 'prjquota' },
  { type: 'ext4', make: ['-O', 'quota,project', '-E', 'quotatype=usrquota:grpquota:prjquota'], options: 'prjquota' },
];

/** Less than the least that mkfs.xfs takes would be refused by it. */
const imageBytes = 320 << 20;

/** Where it is mounted until the test is over; or undefined after having skipped the test with the reason why this machine has no such filesystem. */
export function mountLoopFilesystem(t: TestContext, { type, make = [], options = 'defaults' }: LoopFilesystem): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-loop-'));
  const [image, mountpoint] = [join(folder, 'image'), join(folder, 'mounted')];
  mkdirSync(mountpoint);
  writeFileSync(image, '');
  truncateSync(image, imageBytes);
  t.after(() => {
    spawnSync('umount', [mountpoint]); // gives its loop device back too
    rmSync(folder, { recursive: true });
  });
  const steps = [[`mkfs.${type}`, '-q', ...make, image], ['mount', '-t', type, '-o', `loop,${options}`, image, mountpoint]];
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' };
  for (const [program, ...args] of steps) {
    const { status, error, stderr } = spawnSync(program!, args, { encoding: 'utf8', env });
    if (status === 0) continue;
    t.skip(`no ${type} filesystem with project quotas here: ${error?.message ?? stderr.trim().split('\n')[0]}`);
    return undefined;
  }
  return mountpoint;
}
