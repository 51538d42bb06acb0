/** gRPC statuses as sentences: the one place of the CLI where a foreign error becomes a kind. */
import { status, type ServiceError } from '@grpc/grpc-js';
import { failure, type ErrorKind, type GantryError } from '../../base/errors.ts';
import { humanElapsed } from './human.ts';

const kinds: Readonly<Partial<Record<status, ErrorKind>>> = {
  [status.CANCELLED]: 'cancelled',
  [status.INVALID_ARGUMENT]: 'invalid-argument',
  [status.DEADLINE_EXCEEDED]: 'deadline-exceeded',
  [status.NOT_FOUND]: 'not-found',
  [status.ALREADY_EXISTS]: 'already-exists',
  [status.PERMISSION_DENIED]: 'failed-precondition',
  [status.RESOURCE_EXHAUSTED]: 'resource-exhausted',
  [status.FAILED_PRECONDITION]: 'failed-precondition',
  [status.UNIMPLEMENTED]: 'unimplemented',
  [status.UNAVAILABLE]: 'unavailable',
};

export interface FailedCall {
  readonly act: string;
  readonly object: string | undefined;
  readonly deadlineMs: number;
  readonly socket: string;
}

/** What a failed call says to a person. A daemon that already names the act and the object is not repeated. */
export function callFailure(error: ServiceError, call: FailedCall): GantryError {
  const kind = kinds[error.code] ?? 'internal';
  const said = sentence(error, call);
  const act = call.object === undefined ? call.act : `${call.act} ${call.object}`;
  if (said.startsWith(`${act}: `)) return failure(kind, { act, why: said.slice(act.length + 2), cause: error });
  return failure(kind, { act, why: said, cause: error });
}

function sentence(error: ServiceError, call: FailedCall): string {
  const details = (error.details ?? error.message ?? '').trim().replace(/\.$/, '');
  switch (error.code) {
    case status.CANCELLED:
      return 'interrupted';
    case status.DEADLINE_EXCEEDED:
      // The server's own deadline comes with its own words; ours comes with grpc's.
      return /^(Deadline exceeded|context deadline exceeded)/i.test(details) || details === ''
        ? `no answer within ${humanElapsed(call.deadlineMs)}`
        : details;
    case status.UNAVAILABLE:
      return /No connection established|Connection dropped|ECONNRE|EPIPE/.test(details) ? `the daemon at ${call.socket} went away` : details;
    case status.UNIMPLEMENTED:
      return `the runtime at ${call.socket} does not offer this call (${details})`;
    case status.RESOURCE_EXHAUSTED:
      return details || 'the answer is too large';
    default:
      return details || `the runtime gave no reason (gRPC status ${status[error.code]})`;
  }
}
