import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapInSlices } from './map-in-slices.ts';

test('other work gets its turn in the middle of a long list', async () => {
  let turns = 0;
  const ticking = setInterval(() => { turns++; }, 1);
  const seen: number[] = [];

  const doubled = await mapInSlices(Array.from({ length: 40 }, (_, n) => n), (n) => {
    for (const end = performance.now() + 1; performance.now() < end;);
    seen.push(turns);
    return n * 2;
  });

  clearInterval(ticking);
  assert.deepEqual(doubled, Array.from({ length: 40 }, (_, n) => n * 2));
  assert.ok(seen.at(-1)! >= 3, `${seen.at(-1)} turns`);
});
