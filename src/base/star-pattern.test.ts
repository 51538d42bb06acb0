import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesStars } from './star-pattern.ts';

test('a star stands for any characters, everything else for itself', () => {
  const matching = [['*', ''], ['*', 'a/b\nc'], ['a', 'a'], ['a*', 'a'], ['a*c', 'abc'], ['*b*', 'abc'], ['a*b*c', 'a--b--c'], ['a.b', 'a.b'], ['**', 'x'], ['a*a', 'aa']] as const;
  const others = [['a', 'ab'], ['a*', 'ba'], ['a.b', 'axb'], ['a*a', 'a'], ['*b*b*', 'abc'], ['a*bc*c', 'abc'], ['', 'a']] as const;

  for (const [pattern, text] of matching) assert.ok(matchesStars(pattern, text), `${pattern} on ${text}`);
  for (const [pattern, text] of others) assert.ok(!matchesStars(pattern, text), `${pattern} on ${text}`);
});

test('no pattern is slow on any text', () => {
  const began = performance.now();

  assert.ok(!matchesStars(`${'a*'.repeat(200)}b`, 'a'.repeat(10_000)));

  assert.ok(performance.now() - began < 1000);
});
