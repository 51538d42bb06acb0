import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TerminalSizeDecoder, terminalSizes } from './terminal-sizes.ts';

const decoded = (...chunks: readonly string[]) => {
  const decoder = new TerminalSizeDecoder();
  return chunks.flatMap((chunk) => decoder.decode(Buffer.from(chunk)));
};

test('sizes come out wherever the bytes are cut, with or without lines between them', () => {
  const text = '{"Width":80,"Height":24}\n{"Width":81,"Height":25}{ "Height": 26, "Width": 82 }';
  const sizes = [{ columns: 80, rows: 24 }, { columns: 81, rows: 25 }, { columns: 82, rows: 26 }];

  fc.assert(fc.property(fc.array(fc.nat(text.length), { maxLength: 6 }), (cuts) => {
    const at = [0, ...cuts.sort((a, b) => a - b), text.length];
    assert.deepEqual(decoded(...at.slice(1).map((end, i) => text.slice(at[i], end))), sizes);
  }), { numRuns: 200 });
});

test('what is no size of a terminal is passed over', () => {
  for (const text of ['{}', '{"Width":80}', '{"Width":0,"Height":24}', '{"Width":-1,"Height":24}', '{"Width":65536,"Height":24}', '{"Width":8.5,"Height":24}', '{"Width":"80","Height":24}', 'x}', '}', '[1}', 'null}', '{{"Width":1,"Height":1}']) {
    assert.deepEqual(decoded(`${text}{"Width":80,"Height":24}`), [{ columns: 80, rows: 24 }], text);
  }
});

test('anything at all is decoded without a fault, and what never ends is not kept', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 }), (chunks) => {
    const decoder = new TerminalSizeDecoder();
    for (const chunk of chunks) decoder.decode(Buffer.from(chunk));
  }), { numRuns: 500 });
  assert.deepEqual(decoded('{"Width":1,'.padEnd(1500, ' '), '"Height":1}', '{"Width":80,"Height":24}'), [{ columns: 80, rows: 24 }]);
});

test('of sizes that nobody took in time only the newest is told, and the end of the session is theirs', async () => {
  const stream = new PassThrough();
  const abort = new AbortController();
  const sizes = terminalSizes(stream, abort.signal);

  stream.write('{"Width":80,"Height":24}');
  assert.deepEqual((await sizes.next()).value, { columns: 80, rows: 24 });
  stream.write('{"Width":81,"Height":24}{"Width":82,"Height":24}');
  assert.deepEqual((await sizes.next()).value, { columns: 82, rows: 24 });
  const waiting = sizes.next();
  abort.abort();
  assert.equal((await waiting).done, true);
});

test('sizes end with their stream; without one there are none', async () => {
  const stream = new PassThrough();
  stream.end('{"Width":80,"Height":24}');

  const of = terminalSizes(stream, new AbortController().signal);
  assert.deepEqual([await of.next(), await of.next()], [{ done: false, value: { columns: 80, rows: 24 } }, { done: true, value: undefined }]);
  assert.equal((await terminalSizes(undefined, new AbortController().signal).next()).done, true);
});
