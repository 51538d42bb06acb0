import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableLines } from './table.ts';

test('columns line up, and lines do not end in blanks', () => {
  assert.deepEqual(tableLines(['ID', 'NAME', 'STATE'], [['1', 'a-long-name', 'running'], ['22', '', { text: 'exited', tone: 'dim' }]], false), [
    'ID  NAME         STATE',
    '1   a-long-name  running',
    '22  -            exited',
  ]);
});

test('colour surrounds the text and leaves the alignment alone', () => {
  assert.deepEqual(tableLines(['A', 'B'], [[{ text: 'x', tone: 'good' }, 'y']], true), ['A  B', '\u001b[32mx\u001b[0m  y']);
});

test('a cell cannot write to the terminal', () => {
  assert.deepEqual(tableLines(['A'], [['\u001b[2Jx\ny']], false), ['A', '\\x1b[2Jx y']);
});
