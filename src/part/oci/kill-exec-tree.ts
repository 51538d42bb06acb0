/**
 * Kills every process that one exec started. Walking from parent to child is not enough: a grandchild whose parent ended
 * belongs to the container's process 1, and setsid(2) takes it out of the session. What such a process keeps is the
 * environment it was started with, so each exec marks its own. Only processes in the container's cgroup are looked at.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../base/errors.ts';
import { lookAtProcesses } from './look-at-processes.ts';
import type { SeenProcesses } from './look-at-processes.ts';

/** A process can be stuck in the kernel (a dead NFS server): it is named, not waited for. */
const deadlineMs = 2000;
const pauseMs = 5;
const quietPauseMs = 30;

export interface ExecTree {
  /** Its id. */
  readonly container: string;
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

async function membersOf({ container, pid, marker, containerPids }: ExecTree): Promise<number[]> {
  const processes = await lookAtProcesses(container, containerPids);
  const members = new Set<number>();
  for (const [candidate, { session, markers }] of processes) {
    if (candidate === pid || (pid !== undefined && session === pid) || markers.includes(marker)) members.add(candidate);
  }
  addDescendants(members, processes);
  return [...members];
}

function addDescendants(members: Set<number>, processes: SeenProcesses): void {
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const [pid, { parent }] of processes) if (members.has(parent)) members.add(pid);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
