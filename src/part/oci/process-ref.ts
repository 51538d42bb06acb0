/** A process by pid and start time, so that a reused pid is never taken for it. */
import { readFileSync } from 'node:fs';

export interface ProcessRef {
  readonly pid: number;
  /** Clock ticks since boot at which it started: field 22 of proc_pid_stat(5). */
  readonly startTime: number;
}

/** In place of a process that is not there yet: it is never alive. */
export const noProcess: ProcessRef = { pid: 0, startTime: 0 };

/** What /proc/PID/stat says, as far as it is of use here. */
export interface ProcessStat {
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  readonly startTime: number;
}

/** Reads /proc/PID/stat; undefined when there is no such process. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? 'X', parent: Number(fields[1]), session: Number(fields[3]), startTime: Number(fields[19]) };
}

/** The start time of a live process; undefined when it is gone or a zombie (dead, only not collected yet). */
export function readStartTime(pid: number): number | undefined {
  const stat = readProcessStat(pid);
  return stat === undefined || stat.state === 'Z' || stat.state === 'X' ? undefined : stat.startTime;
}

/** A reference to a live process; undefined when it is gone or a zombie. */
export function processRef(pid: number): ProcessRef | undefined {
  const startTime = readStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

/** True while this very process runs. */
export function processAlive(process: ProcessRef): boolean {
  return readStartTime(process.pid) === process.startTime;
}
