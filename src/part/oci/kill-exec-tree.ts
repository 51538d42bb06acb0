/**
 * Kills every process that one exec started. Walking from parent to child is not enough: a grandchild whose parent ended
 * belongs to the container's process 1, and setsid(2) takes it out of the session. What such a process keeps is the
 * environment it was started with, so each exec marks its own. Only processes in the container's cgroup are looked at.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../base/errors.ts';
import { readProcessStat } from './process-ref.ts';
import type { ProcessStat } from './process-ref.ts';

/** A process can be stuck in the kernel (a dead NFS server): it is named, not waited for. */
const deadlineMs = 2000;
const pauseMs = 5;
const quietPauseMs = 30;
/** Reading an environment can block on a stuck process's memory lock. */
const readDeadlineMs = 200;

export interface ExecTree {
  /** The command's own pid, if it got as far as to have one. */
  readonly pid: number | undefined;
  /** `NAME=value`, in the environment of the command. */
  readonly marker: string;
  readonly containerPids: () => readonly number[];
}

/** Kills until two looks in a row find nothing to kill; returns the pids that were still alive after 2 s. */
export async function killExecTree(tree: ExecTree): Promise<number[]> {
  const end = performance.now() + deadlineMs;
  for (let quietLooks = 0;;) {
    const alive = await membersOf(tree);
    quietLooks = alive.length === 0 ? quietLooks + 1 : 0;
    // One quiet look can fall between a fork and the exec that makes the environment visible.
    if (quietLooks === 2 || performance.now() > end) return alive;
    for (const pid of alive) kill(pid);
    await sleep(alive.length === 0 ? quietPauseMs : pauseMs);
  }
}

async function membersOf({ pid, marker, containerPids }: ExecTree): Promise<number[]> {
  const stats = new Map<number, ProcessStat>();
  for (const candidate of containerPids()) {
    const stat = readProcessStat(candidate);
    if (stat !== undefined && stat.state !== 'Z' && stat.state !== 'X') stats.set(candidate, stat);
  }
  const marked = await Promise.all([...stats.keys()].map(async (candidate) => ((await hasMarker(candidate, marker)) ? candidate : undefined)));
  const members = new Set(marked.filter((candidate) => candidate !== undefined));
  for (const [candidate, stat] of stats) {
    if (candidate === pid || (pid !== undefined && stat.session === pid)) members.add(candidate);
  }
  addDescendants(members, stats);
  return [...members];
}

function addDescendants(members: Set<number>, stats: ReadonlyMap<number, ProcessStat>): void {
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const [pid, stat] of stats) if (members.has(stat.parent)) members.add(pid);
  }
}

async function hasMarker(pid: number, marker: string): Promise<boolean> {
  const environment = readFile(`/proc/${pid}/environ`, 'latin1').catch(() => ''); // it may have ended meanwhile
  const inTime = await Promise.race([environment, sleep(readDeadlineMs, '', { ref: false })]);
  return inTime.split('\0').includes(marker);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
