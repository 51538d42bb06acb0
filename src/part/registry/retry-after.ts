import type { IncomingMessage } from 'node:http';

/** What a Retry-After header (RFC 9110, 10.2.3) asks for, in milliseconds: a number of seconds or a date. Undefined when there is none that makes sense. */
export function retryAfterMs(response: IncomingMessage, now = Date.now()): number | undefined {
  const value = response.headers['retry-after']?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
