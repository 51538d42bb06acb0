/** Moments and lengths of time as Docker writes and reads them. Moments are nanoseconds since the epoch. */
import { failure } from '../../base/errors.ts';

const second = 1_000_000_000n;

/** What Docker tells of something that has not happened. */
export const never = '0001-01-01T00:00:00Z';

/** RFC 3339 with nanoseconds; 0 is `never`. */
export function timestamp(ns: bigint): string {
  if (ns <= 0n) return never;
  const whole = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${whole}.${String(ns % second).padStart(9, '0')}Z`;
}

export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Of a text in RFC 3339, with as many digits of a second as it has; undefined when it is none. */
export function momentOf(text: string): bigint | undefined {
  const form = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const ms = form === null ? Number.NaN : Date.parse(`${form[1]}${form[3]}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt((form![2] ?? '').padEnd(9, '0'));
}

/** `since` or `until` of a query: seconds since the epoch, with a fraction or without, or RFC 3339. Undefined when it is not given; anything else is invalid-argument. */
export function momentIn(query: URLSearchParams, name: string): bigint | undefined {
  const text = query.get(name) ?? '';
  if (text === '' || text === '0') return undefined;
  const seconds = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  const moment = seconds === null ? momentOf(text) : BigInt(seconds[1]!) * second + BigInt((seconds[2] ?? '').padEnd(9, '0'));
  if (moment === undefined) throw failure('invalid-argument', { act: 'read parameter', object: name, why: `${JSON.stringify(text)} is neither seconds since 1970 nor a time such as 2026-01-31T12:00:00Z` });
  return moment;
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** How long something has been, in the words of `docker ps`. */
export function inWords(seconds: number): string {
  if (seconds < 1) return 'Less than a second';
  if (seconds < 2) return '1 second';
  if (seconds < minute) return `${Math.floor(seconds)} seconds`;
  if (seconds < 2 * minute) return 'About a minute';
  if (seconds < hour) return `${Math.floor(seconds / minute)} minutes`;
  if (seconds < 1.5 * hour) return 'About an hour';
  if (seconds < 2 * day) return `${Math.round(seconds / hour)} hours`;
  if (seconds < 14 * day) return `${Math.floor(seconds / day)} days`;
  if (seconds < 60 * day) return `${Math.floor(seconds / day / 7)} weeks`;
  if (seconds < 730 * day) return `${Math.floor(seconds / day / 30)} months`;
  return `${Math.floor(seconds / day / 365)} years`;
}
