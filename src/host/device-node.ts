/** Device nodes of the host: what a file's status says of the device behind it. */
import type { Stats } from 'node:fs';

export interface HostDevice {
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  /** Permission bits of the node. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The device that a file is; undefined when it is none. */
export function deviceOf(stats: Stats): HostDevice | undefined {
  const type = stats.isCharacterDevice() ? 'c' : stats.isBlockDevice() ? 'b' : undefined;
  if (type === undefined) return undefined;
  return { type, ...deviceNumbers(BigInt(stats.rdev)), mode: stats.mode & 0o777, uid: stats.uid, gid: stats.gid };
}

/** Takes a Linux dev_t apart, makedev(3). */
export function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)),
  };
}
