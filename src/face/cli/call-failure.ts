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

/** Beginning of the paths of our own API, which other runtimes do not have. */
const ownApi = '/gantry.admin.v1.';

export interface FailedCall {
  readonly act: string;
  readonly object: string | undefined;
  /** Of the method: `/runtime.v1.RuntimeService/Version`. */
  readonly path: string;
  readonly deadlineMs: number;
  readonly socket: string;
}

/** What a failed call says to a person. */
export function callFailure(error: ServiceError, call: FailedCall): GantryError {
  const { act, object } = call;
  return failure(kinds[error.code] ?? 'internal', { act, ...(object === undefined ? {} : { object }), why: withoutAct(sentence(error, call), act), cause: error });
}

/** A daemon that names the attempted act itself (`start container 8f3c…: no space`) is not repeated; the person knows it by another name. */
function withoutAct(said: string, act: string): string {
  const end = said.indexOf(': ');
  return end > 0 && (said.startsWith(`${act} `)) ? withoutAct(said.slice(end + 2), act) : said;
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
      if (call.path.startsWith(ownApi)) return `only a gantry of this version offers that, and the runtime at ${call.socket} is another`;
      return `the runtime at ${call.socket} does not offer this call (${details})`;
    case status.RESOURCE_EXHAUSTED:
      return details || 'the answer is too large';
    default:
      return details || `the runtime gave no reason (gRPC status ${status[error.code]})`;
  }
}
