import { failure } from '../../base/errors.ts';

/**
 * The value of a field that must be there; a missing message or an empty string is invalid-argument, naming the field as
 * the proto does.
 */
export function required<T>(value: T | undefined, act: string, field: string): T {
  if (value === undefined || value === '') throw failure('invalid-argument', { act, why: `${field} is missing` });
  return value;
}
