/** The kernel's log, as /dev/kmsg gives it (Linux, Documentation/ABI/testing/dev-kmsg). */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { hasCode } from '../base/errors.ts';

/** A longer message is not in the log. */
const longestMessage = 8192;
/** Messages of the kernel itself have facility 0; what programs write to the log has another, in the bits above the level. */
const firstOfPrograms = 8;

/**
 * What the kernel wrote and its buffer still has, oldest first: some thousand messages, without those of programs. None where this process may not
 * read the log, or has no /dev/kmsg, as in some containers.
 */
export function kernelMessages(file = '/dev/kmsg'): string[] {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'EPERM', 'EACCES', 'ENXIO'].some((code) => hasCode(error, code))) return [];
    throw error;
  }
  try {
    return [...records(fd)].flatMap((record) => kernelMessage(record) ?? []);
  } finally {
    closeSync(fd);
  }
}

/** Each read gives one record. */
function* records(fd: number): Generator<string> {
  const buffer = Buffer.alloc(longestMessage);
  for (;;) {
    try {
      const length = readSync(fd, buffer);
      if (length === 0) return;
      yield buffer.toString('utf8', 0, length);
    } catch (error) {
      if (hasCode(error, 'EAGAIN')) return; // that was the newest
      if (!hasCode(error, 'EPIPE')) throw error; // the next one was overwritten while we read: the read after goes on behind it
    }
  }
}

/** The text of a record such as `6,339,5140900,-;NET: registered\n SUBSYSTEM=net\n`; undefined for one that a program wrote. */
export function kernelMessage(record: string): string | undefined {
  const [, priority, text] = /^(\d+),[^;]*;([^\n]*)/.exec(record) ?? [];
  return priority !== undefined && Number(priority) < firstOfPrograms ? text : undefined;
}
