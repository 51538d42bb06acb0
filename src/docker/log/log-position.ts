/** How far a CRI log file has got: the time of its last entry, and how many entries have that time. */
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasCode } from '../../base/errors.ts';

export interface LogPosition {
  /** RFC 3339 with nine digits of a second, UTC, as both the Engine and the log write it; empty at the beginning. Comparable as a text. */
  readonly time: string;
  /** The parts of one long line have one time. */
  readonly entries: number;
}

export const beginning: LogPosition = { time: '', entries: 0 };

/** More than two of the longest entries, 16 KiB each. */
const tailBytes = 256 * 1024;
const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /;

/**
 * Where a copy that was ended at any moment goes on. A last line that was written in part is cut off. An empty or missing file was begun
 * after a rotation: then the newest file that was it before tells.
 */
export async function positionOf(logPath: string): Promise<LogPosition> {
  const own = await positionIn(logPath, { mend: true });
  if (own !== undefined) return own;
  const rotated = await newestRotated(logPath);
  return (rotated === undefined ? undefined : await positionIn(rotated, { mend: false })) ?? beginning;
}

async function positionIn(path: string, { mend }: { readonly mend: boolean }): Promise<LogPosition | undefined> {
  const file = await openIfThere(path, mend ? 'r+' : 'r');
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - tailBytes);
    const tail = Buffer.alloc(size - from);
    await file.read(tail, 0, tail.length, from);
    const end = tail.lastIndexOf(0x0a) + 1;
    if (mend && end < tail.length) await file.truncate(from + end);
    return lastOf(tail.subarray(0, end).toString('utf8'));
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string, flags: 'r' | 'r+'): Promise<Awaited<ReturnType<typeof open>> | undefined> {
  try {
    return await open(path, flags);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function lastOf(text: string): LogPosition | undefined {
  const lines = text.split('\n').slice(0, -1);
  const time = timeForm.exec(lines.at(-1) ?? '')?.[0].trimEnd();
  if (time === undefined) return undefined;
  const before = lines.findLastIndex((line) => !line.startsWith(time));
  return { time, entries: lines.length - 1 - before };
}

/** The kubelet renames `0.log` to `0.log.20260102-030405`, and compresses all but the newest. */
async function newestRotated(logPath: string): Promise<string | undefined> {
  const prefix = `${basename(logPath)}.`;
  const names = await readdir(dirname(logPath)).catch((): string[] => []);
  const candidates = names.filter((name) => name.startsWith(prefix) && !name.endsWith('.gz') && !name.endsWith('.tmp')).map((name) => join(dirname(logPath), name));
  const dated = await Promise.all(candidates.map(async (path) => ({ path, at: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 })));
  return dated.sort((one, other) => other.at - one.at)[0]?.path;
}
