import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePattern, matches } from './pattern.ts';

const rows: readonly (readonly [pattern: string, text: string, found: boolean])[] = [
  ['.*/init$', '/sbin/init', true],
  ['.*/init$', '/sbin/initd', false],
  ['b', 'abc', true],
  [String.raw`^com\.example\.department$`, 'com.example.department', true],
  [String.raw`^com\.example`, 'comXexample', false],
  ['^[[:alpha:]_]+[[:digit:]]$', 'ab_1', true],
  ['^[[:alpha:]]+$', 'a:', false],
  [String.raw`^a\-b\/c\_d$`, 'a-b/c_d', true],
  [String.raw`^[a\-b]+$`, 'a-b', true],
  [String.raw`^\\\[$`, String.raw`\[`, true],
  ['(?i)^TRUE$', 'true', true],
  ['^TRUE$', 'true', false],
  ['a{2}|b', 'aa', true],
];
for (const [pattern, text, found] of rows) {
  test(`${pattern} ${found ? 'is' : 'is not'} in ${text}`, () => {
    assert.equal(matches(compilePattern(pattern), text), found);
  });
}

test('what would mean something else here is refused', () => {
  for (const pattern of ['(', '[', 'a**', String.raw`\A`, String.raw`\z`, String.raw`\Qx\E`]) assert.throws(() => compilePattern(pattern), { message: `${JSON.stringify(pattern)} is no regular expression` });
});

test('a pattern that runs away is stopped', () => {
  assert.throws(() => matches(compilePattern('^(a+)+$'), `${'a'.repeat(40)}!`), /timed out/);
});
