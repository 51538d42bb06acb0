import { failure } from '../../base/errors.ts';

const longest = 2_000_000; // 23 days: a Node timer holds no more than 24

/** A number of seconds as callers send it: a negative one is invalid-argument, and nothing is longer than a timer can be. */
export function secondsOf(sent: bigint, act: string, field: string): number {
  if (sent < 0n) throw failure('invalid-argument', { act, object: field, why: `${sent} seconds are less than none` });
  return Math.min(Number(sent), longest);
}
