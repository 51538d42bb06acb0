/** How likely the OOM killer is to choose a process: proc_pid_oom_score_adj(5). */
import { readFileSync, writeFileSync } from 'node:fs';
import { hasCode } from '../base/errors.ts';

/** Undefined when there is no such process. */
export function readOomScore(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1'));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** False when the kernel does not permit it: lowering needs CAP_SYS_RESOURCE. A process that is gone is success. */
export function writeOomScore(pid: number, score: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
    return true;
  } catch (error) {
    if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM')) return false;
    if (isGone(error)) return true;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH');
}
