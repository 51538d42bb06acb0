import { lstat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../base/errors.ts';
import { removeTree } from './files.ts';
import { findProgram, systemPath } from './find-program.ts';
import { run } from './spawn.ts';

/** A disk that removes a thousand files a second is through with the largest layer by then. */
const deadlineMs = 4_000_000;
/** Somebody may still be writing into it. */
const tries = 3;
const pauseMs = 50;

/**
 * Removes a tree of our own whose content others chose: it may have millions of files, and paths that are longer than the kernel takes.
 * Node would hold all names of a directory and stand still over them, so rm(1) does it. Absent is fine. It stops at mounts: internal, as
 * for all that cannot be removed; deadline-exceeded after an hour.
 */
export async function removeLargeTree(path: string): Promise<void> {
  if (await isAbsent(path)) return; // as before nearly every layer: no program is started for that
  const rm = findProgram('rm', systemPath);
  if (rm === undefined) return await removeTree(path);
  for (let left = tries; ; left--) {
    const { code, stderr } = await run(rm, ['-rf', '--one-file-system', '--', path], { deadlineMs, maxOutputBytes: 2000 });
    if (code === 0) return;
    if (left === 0) throw failure('internal', { act: 'remove', object: path, why: stderr.toString().split('\n', 1)[0]?.slice(0, 500) ?? '' });
    await sleep(pauseMs);
  }
}

async function isAbsent(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return false;
  } catch (error) {
    return hasCode(error, 'ENOENT');
  }
}
