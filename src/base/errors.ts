/**
 * The one error type of Gantry. Every failure that a caller may see has a kind (what sort of failure), an act (what
 * was attempted), an object (on what) and a cause. Foreign text (an OCI runtime's stderr, a CNI error object, a
 * registry's body) becomes a kind only in the part that called that foreigner; a kind becomes a gRPC status only in
 * face/grpc/status.ts. docs/errors.md lists both mappings.
 */

export const errorKinds = [
  'not-found',
  'already-exists',
  'invalid-argument',
  'failed-precondition',
  'resource-exhausted',
  'unavailable',
  'deadline-exceeded',
  'cancelled',
  'unimplemented',
  'internal',
] as const;

export type ErrorKind = (typeof errorKinds)[number];

export interface FailureDetail {
  /** What was attempted, as a verb phrase: `start container`, `pull image`. */
  readonly act: string;
  /** What it was attempted on: an id, a name, a reference. Omit when the act says it all. */
  readonly object?: string;
  /** Why it failed, lower case, no full stop; where there is a remedy, what to do. */
  readonly why?: string;
  readonly cause?: unknown;
  /** A crierrors name (RegistryUnavailable, SignatureValidationFailed, …) that the kubelet turns into a pod reason. */
  readonly criReason?: string;
}

export class GantryError extends Error {
  override readonly name = 'GantryError';
  readonly kind: ErrorKind;
  readonly act: string;
  readonly object: string | undefined;
  readonly why: string | undefined;
  readonly criReason: string | undefined;

  constructor(kind: ErrorKind, detail: FailureDetail) {
    const head = detail.object === undefined ? detail.act : `${detail.act} ${detail.object}`;
    const tail = detail.why ?? (detail.cause === undefined ? undefined : messageOf(detail.cause));
    super(tail === undefined ? head : `${head}: ${tail}`, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.kind = kind;
    this.act = detail.act;
    this.object = detail.object;
    this.why = detail.why;
    this.criReason = detail.criReason;
  }
}

/** Makes (does not throw) an error: `throw failure('not-found', { act: 'start container', object: id })`. */
export function failure(kind: ErrorKind, detail: FailureDetail): GantryError {
  return new GantryError(kind, detail);
}

/** The kind of any thrown value; what is not ours is `internal`. */
export function kindOf(error: unknown): ErrorKind {
  return error instanceof GantryError ? error.kind : 'internal';
}

export function isKind(error: unknown, kind: ErrorKind): error is GantryError {
  return error instanceof GantryError && error.kind === kind;
}

/** True when a Node file-system error carries this code (`ENOENT`, `EEXIST`, …). */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

/** The text of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Wraps a failure with what was being attempted, keeping its kind: the message reads from the outermost act to the
 * innermost cause (`run pod default/web: add network podnet: plugin bridge: …`).
 */
export function during(error: unknown, detail: Omit<FailureDetail, 'cause' | 'why'>): GantryError {
  const criReason = detail.criReason ?? (error instanceof GantryError ? error.criReason : undefined);
  return new GantryError(kindOf(error), { ...detail, cause: error, ...(criReason === undefined ? {} : { criReason }) });
}
