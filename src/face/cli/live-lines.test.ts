import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { LiveLines } from './live-lines.ts';

function terminal(size: { columns?: number; rows?: number } = {}) {
  const out = Object.assign(new PassThrough(), size);
  return { lines: new LiveLines(out), written: () => String(out.read() ?? '') };
}

test('lines are drawn over those before, and fewer leave nothing behind', () => {
  const { lines, written } = terminal();

  lines.draw(['one', 'two']);
  assert.equal(written(), '\r\u001b[Kone\n\u001b[Ktwo\n\u001b[J');
  lines.draw(['three']);
  assert.equal(written(), '\r\u001b[2A\u001b[Kthree\n\u001b[J');
  lines.clear();
  assert.equal(written(), '\r\u001b[1A\u001b[J');
  lines.clear();
  assert.equal(written(), '\r\u001b[J');
});

test('the last column and row stay free, and a terminal that does not tell its size has the usual one', () => {
  assert.deepEqual(terminal({ columns: 120, rows: 50 }).lines.space, { columns: 119, rows: 49 });
  assert.deepEqual(terminal().lines.space, { columns: 79, rows: 23 });
  assert.deepEqual(terminal({ columns: 0, rows: 0 }).lines.space, { columns: 10, rows: 2 });
});
