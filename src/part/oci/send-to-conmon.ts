import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { failure, hasCode } from '../../base/errors.ts';
import { libc } from '../../host/libc.ts';
import { bundleFiles } from './bundle.ts';

const FIONREAD = 0x541b;

interface ToConmon {
  readonly id: string;
  readonly bundle: string;
}

/**
 * Writes one line to the control fifo of a container's conmon: `1 HEIGHT WIDTH` resizes its terminal, `2 0 0` reopens its log. No
 * conmon there: failed-precondition.
 */
export function sendToConmon(to: ToConmon, { act, line }: { readonly act: string; readonly line: string }): void {
  withControl(to, act, (fd) => writeSync(fd, `${line}\n`));
}

/** Whether lines wait there that conmon has not read yet, whoever sent them. No conmon there: failed-precondition. */
export function conmonIsBehind(to: ToConmon, act: string): boolean {
  return withControl(to, act, (fd) => {
    const unread = Buffer.alloc(4);
    libc.ioctl(fd, FIONREAD, unread);
    return (endianness() === 'LE' ? unread.readInt32LE() : unread.readInt32BE()) > 0;
  });
}

function withControl<T>({ id, bundle }: ToConmon, act: string, use: (fd: number) => T): T {
  try {
    // Without O_NONBLOCK, opening a fifo that nobody reads would block for ever; with it, that is ENXIO.
    const fd = openSync(bundleFiles(bundle).control, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (hasCode(cause, 'ENXIO') || hasCode(cause, 'ENOENT')) throw failure('failed-precondition', { act, object: id, why: 'its monitor (conmon) is not running', cause });
    throw failure('internal', { act, object: id, cause });
  }
}
