import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { failure, hasCode } from '../../base/errors.ts';
import { bundleFiles } from './bundle.ts';

/**
 * Writes one line to the control fifo of a container's conmon: `1 HEIGHT WIDTH` resizes its terminal, `2 0 0` reopens its log. No
 * conmon there: failed-precondition.
 */
export function sendToConmon({ id, bundle }: { readonly id: string; readonly bundle: string }, { act, line }: { readonly act: string; readonly line: string }): void {
  try {
    // Without O_NONBLOCK, opening a fifo that nobody reads would block for ever; with it, that is ENXIO.
    const fd = openSync(bundleFiles(bundle).control, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(fd, `${line}\n`);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (hasCode(cause, 'ENXIO') || hasCode(cause, 'ENOENT')) throw failure('failed-precondition', { act, object: id, why: 'its monitor (conmon) is not running', cause });
    throw failure('internal', { act, object: id, cause });
  }
}
