/** Makes conmon start a new log file, after the kubelet has renamed the old one. */
import { readdirSync, statSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, hasCode } from '../../base/errors.ts';
import { sendToConmon } from './send-to-conmon.ts';
import { processAlive } from './process-ref.ts';
import type { ProcessRef } from './process-ref.ts';

const deadlineMs = 2000;
const pollMs = 5;

export interface ReopenLogRequest {
  readonly id: string;
  readonly bundle: string;
  readonly logPath: string;
  readonly conmon: ProcessRef;
}

/**
 * Returns when the container's output goes to a file at its log path. conmon truncates what it finds there, so a log that
 * was not rotated is left as it is. No conmon, or no directory for the log (of which conmon would die):
 * failed-precondition. A conmon that does not react: deadline-exceeded.
 */
export async function reopenLog(request: ReopenLogRequest): Promise<void> {
  const before = await identityOf(request.logPath);
  if (before !== undefined && writesTo(request.conmon, before)) return;
  await checkDirectory(request);
  sendToConmon(request, { act: 'reopen log of container', line: '2 0 0' });
  const end = performance.now() + deadlineMs;
  for (;;) {
    const now = await identityOf(request.logPath);
    if (now !== undefined && now !== before) return;
    if (performance.now() > end) throw failure('deadline-exceeded', { act: 'reopen log of container', object: request.id, why: `conmon made no new file at ${request.logPath} within ${deadlineMs / 1000} s` });
    await sleep(pollMs);
  }
}

/** Device and inode of a file, which tell it from another one at the same path. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function writesTo(conmon: ProcessRef, identity: string): boolean {
  if (!processAlive(conmon)) return false;
  try {
    return readdirSync(`/proc/${conmon.pid}/fd`).some((fd) => {
      const info = statSync(`/proc/${conmon.pid}/fd/${fd}`, { bigint: true, throwIfNoEntry: false });
      return info !== undefined && `${info.dev}:${info.ino}` === identity;
    });
  } catch {
    return false; // conmon ended meanwhile: the control fifo will say so
  }
}

async function checkDirectory({ id, logPath }: ReopenLogRequest): Promise<void> {
  await access(dirname(logPath), constants.W_OK).catch((cause: unknown) => {
    throw failure('failed-precondition', { act: 'reopen log of container', object: id, why: `no directory ${dirname(logPath)}`, cause });
  });
}
