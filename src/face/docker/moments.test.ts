import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inWords, momentIn, momentOf, never, timestamp } from './moments.ts';

test('moments keep their nanoseconds both ways', () => {
  const rows: [string, bigint][] = [
    ['2026-01-31T12:00:00.000000000Z', 1_769_860_800_000_000_000n],
    ['2026-01-31T12:00:00.123456789Z', 1_769_860_800_123_456_789n],
    ['2026-01-31T12:00:00.000000001Z', 1_769_860_800_000_000_001n],
  ];
  for (const [text, ns] of rows) {
    assert.equal(timestamp(ns), text);
    assert.equal(momentOf(text), ns);
  }
  assert.equal(timestamp(0n), never);
  assert.equal(momentOf('2026-01-31T14:00:00.5+02:00'), 1_769_860_800_500_000_000n);
  assert.equal(momentOf('yesterday'), undefined);
});

test('a moment in a query is in seconds or a time', () => {
  const read = (text: string) => momentIn(new URLSearchParams({ since: text }), 'since');

  assert.equal(read('1769860800'), 1_769_860_800_000_000_000n);
  assert.equal(read('1769860800.000000001'), 1_769_860_800_000_000_001n);
  assert.equal(read('2026-01-31T12:00:00Z'), 1_769_860_800_000_000_000n);
  assert.equal(read(''), undefined);
  assert.equal(read('0'), undefined);
  assert.throws(() => read('10m'), { kind: 'invalid-argument', message: 'read parameter since: "10m" is neither seconds since 1970 nor a time such as 2026-01-31T12:00:00Z' });
});

test('lengths of time are in the words of docker ps', () => {
  const rows: [number, string][] = [
    [-5, 'Less than a second'], [0.4, 'Less than a second'], [1, '1 second'], [59.9, '59 seconds'], [60, 'About a minute'], [120, '2 minutes'], [3599, '59 minutes'], [3600, 'About an hour'],
    [2 * 3600, '2 hours'], [47 * 3600, '47 hours'], [48 * 3600, '2 days'], [14 * 86_400, '2 weeks'], [60 * 86_400, '2 months'], [730 * 86_400, '2 years'],
  ];
  for (const [seconds, words] of rows) assert.equal(inWords(seconds), words);
});
