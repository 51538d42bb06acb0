/** What the Engine answers, or does not, as errors of ours. */
import { failure, hasCode, messageOf } from '../../base/errors.ts';
import type { ErrorKind, FailureDetail, GantryError } from '../../base/errors.ts';

/** What a call was for. */
export type Act = Pick<FailureDetail, 'act' | 'object'>;

/** The Engine's status codes (its API reference); 500 is what it says of most things that go wrong inside. */
const kinds: Readonly<Record<number, ErrorKind>> = { 400: 'invalid-argument', 401: 'failed-precondition', 403: 'failed-precondition', 404: 'not-found', 409: 'failed-precondition', 501: 'unimplemented', 503: 'unavailable' };

/** The refusal of a request, in the Engine's words. */
export function refusal(act: Act, { status, body }: { readonly status: number; readonly body: string }): GantryError {
  return failure(kinds[status] ?? 'internal', { ...act, why: `the Docker Engine says: ${wordsOf(body) || `status ${status}`}` });
}

/** Errors of a connection rather than of a request: the Engine is not there, or went away midway. */
export function connectionFailure(act: Act, socket: string, cause: unknown): GantryError {
  if (hasCode(cause, 'ENOENT')) return failure('unavailable', { ...act, why: `there is no Docker Engine at ${socket}: start it (systemctl start docker), or correct docker.socket`, cause });
  if (hasCode(cause, 'ECONNREFUSED')) return failure('unavailable', { ...act, why: `nobody listens at ${socket}: start the Docker Engine (systemctl start docker)`, cause });
  if (hasCode(cause, 'EACCES')) return failure('unavailable', { ...act, why: `gantry may not use ${socket}: it needs to run as root, or in the group of the socket`, cause });
  return failure('unavailable', { ...act, why: `the Docker Engine at ${socket} went away during the call (${messageOf(cause)}): what came of it is looked at when it is back`, cause });
}

/** `message` of the Engine's JSON errors; other texts as they are, on one line. */
export function wordsOf(body: string): string {
  let words = body;
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === 'string') words = message;
  } catch {
    // No JSON: a proxy in front of the socket, perhaps.
  }
  return words.trim().replaceAll(/\s*\n\s*/g, '; ').slice(0, 2000);
}
