const longest = 2_000_000; // 23 days: a Node timer holds no more than 24

/** A number of seconds as callers send it: negative means 0, and nothing is longer than a timer can be. */
export function secondsOf(sent: bigint): number {
  return Math.min(Math.max(Number(sent), 0), longest);
}
