import { readFile, realpath, statfs } from 'node:fs/promises';
import { mountOf, parseMountTable } from './mount-table.ts';

export interface Filesystem {
  readonly mountPoint: string;
  readonly sizeBytes: bigint;
  /** For whoever is not root. */
  readonly availableBytes: bigint;
}

/** The filesystem that an existing path lies on, statfs(2); one mounted twice counts as two. */
export async function filesystemOf(path: string): Promise<Filesystem> {
  const [table, real, { bsize, blocks, bavail }] = await Promise.all([readFile('/proc/self/mountinfo', 'utf8'), realpath(path), statfs(path, { bigint: true })]);
  return { mountPoint: mountOf(parseMountTable(table), real)?.mountPoint ?? '/', sizeBytes: bsize * blocks, availableBytes: bsize * bavail };
}
