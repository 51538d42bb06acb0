/** Makes conmon start a new log file, after the kubelet has renamed the old one. */
import { readdirSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isKind } from '../../base/errors.ts';
import { pathThreads } from '../../host/path-resolver.ts';
import { conmonIsBehind, sendToConmon } from './send-to-conmon.ts';
import { processAlive } from './process-ref.ts';
import type { ProcessRef } from './process-ref.ts';

const act = 'reopen log of container';
const deadlineMs = 2000;
const pollMs = 5;

export interface ReopenLogRequest {
  readonly id: string;
  readonly bundle: string;
  readonly logPath: string;
  readonly conmon: ProcessRef;
}

/**
 * Returns when the container's output goes to a file at its log path. conmon replaces what it finds there, so a log that
 * was not rotated is left as it is, and a conmon that has not got round to what an earlier call asked of it is not asked a second time: the
 * lines between the two would be lost. Calls for one container come one after the other. No conmon, or no directory for the log (of which
 * conmon would die): failed-precondition. A conmon that does not react, or a file system: deadline-exceeded.
 */
export async function reopenLog(request: ReopenLogRequest): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (let asked = false; !(await writesToLog(request)); await sleep(pollMs)) {
    if (performance.now() > end) throw failure('deadline-exceeded', { act, object: request.id, why: `conmon made no new file at ${request.logPath} within ${deadlineMs / 1000} s` });
    if (asked) continue;
    await checkDirectory(request);
    asked = askToReopen(request);
  }
}

/** False while conmon is behind; it may have been asked already, by another daemon even. */
function askToReopen(request: ReopenLogRequest): boolean {
  if (conmonIsBehind(request, act)) return false;
  sendToConmon(request, { act, line: '2 0 0' });
  return true;
}

/** Whether what is at the log path now is what conmon writes to. By names: to look at the files would wait for their file system. */
async function writesToLog({ conmon, logPath }: ReopenLogRequest): Promise<boolean> {
  const file = await pathThreads.resolve(logPath).catch((error: unknown) => {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  });
  return file !== undefined && processAlive(conmon) && filesOf(conmon).includes(file);
}

/** The names of what it has open, as they are now: renamed files have their new ones, removed files none. */
function filesOf({ pid }: ProcessRef): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkAt(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // conmon ended meanwhile: the control fifo will say so
  }
}

function linkAt(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}

async function checkDirectory({ id, logPath }: ReopenLogRequest): Promise<void> {
  await pathThreads.checkWritable(dirname(logPath)).catch((cause: unknown) => {
    if (isKind(cause, 'deadline-exceeded') || isKind(cause, 'unavailable')) throw cause;
    throw failure('failed-precondition', { act, object: id, why: `no directory ${dirname(logPath)}`, cause });
  });
}
