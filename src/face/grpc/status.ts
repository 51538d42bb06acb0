/** The only place where a kind of error becomes a gRPC status. */
import { status } from '@grpc/grpc-js';
import { GantryError, kindOf, messageOf } from '../../base/errors.ts';
import type { ErrorKind } from '../../base/errors.ts';

export const codeOfKind: Readonly<Record<ErrorKind, status>> = {
  'not-found': status.NOT_FOUND,
  'already-exists': status.ALREADY_EXISTS,
  'invalid-argument': status.INVALID_ARGUMENT,
  'failed-precondition': status.FAILED_PRECONDITION,
  'resource-exhausted': status.RESOURCE_EXHAUSTED,
  'unavailable': status.UNAVAILABLE,
  'deadline-exceeded': status.DEADLINE_EXCEEDED,
  'cancelled': status.CANCELLED,
  'unimplemented': status.UNIMPLEMENTED,
  'internal': status.INTERNAL,
};

/** The message travels in an HTTP/2 header, whose block clients limit. */
const longestDetails = 4096;

export interface CallStatus {
  readonly code: status;
  readonly details: string;
}

/**
 * The status that a caller gets for whatever was thrown; what is not ours is INTERNAL, with its message and never its stack.
 *
 * An error with a criReason (RegistryUnavailable, SignatureValidationFailed, RROUnsupported, ImageVolumeMountFailed; cri-api
 * pkg/errors) is UNKNOWN with the reason in front, whatever its kind. The kubelet compares the *beginning* of the error text with
 * these names (image_manager.go, evalCRIPullErr), and its CRI client takes the `rpc error: code = …` in front of the text
 * away for the code UNKNOWN only (cri-client, remote_image.go, PullImage): under any other code the reason goes unseen.
 */
export function statusOf(error: unknown): CallStatus {
  const reason = error instanceof GantryError ? error.criReason : undefined;
  if (reason === undefined) return { code: codeOfKind[kindOf(error)], details: sendable(messageOf(error)) };
  return { code: status.UNKNOWN, details: sendable(`${reason}: ${messageOf(error)}`) };
}

/** grpc-js percent-encodes the message, which throws on a lone surrogate. */
function sendable(message: string): string {
  const text = message.toWellFormed();
  return text.length <= longestDetails ? text : `${text.slice(0, longestDetails - 1).toWellFormed()}…`;
}
