import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { DetachKeys, parseDetachKeys } from './detach-keys.ts';

const rows: readonly (readonly [string, readonly number[]])[] = [
  ['', []], ['ctrl-p,ctrl-q', [16, 17]], ['ctrl-P', [16]], ['ctrl-],x', [29, 120]], ['ctrl-@', [0]], ['ctrl-[', [27]], ['ctrl-\\', [28]], ['ctrl-^', [30]], ['ctrl-_', [31]], ['a', [97]],
];

test('keys are written as docker writes them', () => {
  for (const [written, bytes] of rows) assert.deepEqual([...parseDetachKeys(written)], bytes, written);
  for (const wrong of ['ctrl-', 'ctrl-1', 'ab', 'ctrl-p,', ',', 'é', ' ']) assert.throws(() => parseDetachKeys(wrong), /--detach-keys wants keys such as ctrl-p,ctrl-q/, wrong);
});

test('what is typed passes but for the whole keys, however it is cut', async () => {
  const typed = async (keys: string, ...chunks: string[]): Promise<string> => {
    let left = '';
    const filter = new DetachKeys(parseDetachKeys(keys), () => (left = ' left'));
    for (const chunk of chunks) filter.write(chunk);
    filter.end();
    return (await text(filter)) + left;
  };

  assert.equal(await typed('a,b', 'xaxab', 'more'), 'xax left');
  assert.equal(await typed('a,b', 'xa', 'a', 'b'), 'xa left');
  assert.equal(await typed('a,a,b', 'a', 'a', 'a', 'b'), 'a left');
  assert.equal(await typed('a,b', 'ya'), 'ya');
});
