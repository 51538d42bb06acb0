import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanAge, humanElapsed, humanSize, parseDuration, shortId } from './human.ts';

test('sizes have three digits at most', () => {
  const table: [bigint, string][] = [[0n, '0 B'], [999n, '999 B'], [1000n, '1 kB'], [1536n, '1.5 kB'], [999_949n, '1 MB'], [42_300_000n, '42.3 MB'], [123_456_789n, '123 MB'], [5_000_000_000_000_000n, '5000 TB']];
  for (const [bytes, text] of table) assert.equal(humanSize(bytes), text);
});

test('ages are told in their largest units', () => {
  const now = Date.parse('2026-01-10T00:00:00Z');
  const ago = (seconds: number) => humanAge(BigInt(now - seconds * 1000) * 1_000_000n, now);

  assert.deepEqual([0, 5, 119, 120, 7199, 7200, 7260, 172_799, 172_800].map(ago), ['now', '5s', '119s', '2m', '119m', '2h', '2h1m', '47h59m', '2d']);
  assert.equal(ago(-60), 'now');
  assert.equal(humanAge(0n, now), '-');
});

test('elapsed times keep hundredths only while they matter', () => {
  assert.deepEqual([5, 1234, 12_345, 125_000].map(humanElapsed), ['0.01 s', '1.23 s', '12 s', '2 m 05 s']);
});

test('durations are seconds or numbers with units', () => {
  assert.deepEqual(['90', '500ms', '1h30m', '2d', '', '1x', '-5s', 'm'].map(parseDuration), [90_000, 500, 5_400_000, 172_800_000, undefined, undefined, undefined, undefined]);
});

test('a short id leaves out the algorithm', () => {
  assert.equal(shortId(`sha256:${'ab'.repeat(32)}`), 'ababababababa');
});
