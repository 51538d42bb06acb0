import { during, failure, GantryError, messageOf } from '../../base/errors.ts';
import type { FailureDetail } from '../../base/errors.ts';

/**
 * As `during`, for work whose own failures tell of the same act, on an id: `start container 3f…: crun: …` becomes
 * `start container web: crun: …`, so that act and object stand there once and under the name that people know.
 */
export function duringOnce(error: unknown, detail: Omit<FailureDetail, 'cause' | 'why'>): GantryError {
  if (!(error instanceof GantryError) || error.act !== detail.act) return during(error, detail);
  return failure(error.kind, {
    ...detail,
    why: error.why ?? messageOf(error.cause),
    cause: error,
    ...(error.criReason === undefined ? {} : { criReason: error.criReason }),
  });
}
