import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';

/** The error for what Docker should have there and has not, or not whole: failed-precondition. */
export function damagedStore(object: string, why: string): GantryError {
  return failure('failed-precondition', { act: "read Docker's image store", object, why });
}
