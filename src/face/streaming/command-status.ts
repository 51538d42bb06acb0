/** How a command or an attached container ended, as remotecommand clients are told on the error stream. */
import { messageOf } from '../../base/errors.ts';

export type CommandEnd = { readonly exitCode: number } | { readonly error: unknown };

/** `object`: a metav1.Status as JSON, with the exit code (v4, v5). `text`: a sentence, or nothing after success (v1 to v3). */
export type StatusForm = 'object' | 'text';

/** The bytes for the error stream; none where there is nothing to say. */
export function statusBytes(end: CommandEnd, form: StatusForm): Buffer {
  if (form === 'object') return Buffer.from(JSON.stringify(statusObject(end)));
  if ('error' in end) return Buffer.from(messageOf(end.error));
  return Buffer.from(end.exitCode === 0 ? '' : exitText(end.exitCode));
}

function statusObject(end: CommandEnd): object {
  if ('error' in end) {
    const message = messageOf(end.error);
    return { metadata: {}, status: 'Failure', message, reason: 'InternalError', details: { causes: [{ message }] }, code: 500 };
  }
  if (end.exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {}, status: 'Failure', message: exitText(end.exitCode), reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(end.exitCode) }] },
  };
}

function exitText(exitCode: number): string {
  return `command terminated with exit code ${exitCode}`;
}
