import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogJoiner, parsePiece } from './cri-log.ts';

const t = '2026-01-31T12:00:00.000000001Z';
const joined = (joiner: LogJoiner, text: string | Buffer) => [...joiner.push(Buffer.from(text))].map((line) => `${line.stream}:${line.content.toString()}`);

test('a line of the file has a time, a stream, a tag and its content', () => {
  assert.deepEqual(parsePiece(Buffer.from(`${t} stderr P two words `)), { time: t, stream: 'stderr', partial: true, content: Buffer.from('two words ') });
  assert.equal(parsePiece(Buffer.from(`${t} stdout F:x:y a`))?.partial, false);
  assert.equal(parsePiece(Buffer.from(`${t} stdout F`))?.content.length, 0);
});

test('what is not in the format is passed over', () => {
  for (const text of ['', 'torn', `${t} stdin F x`, `${t} stdout X y`, `${t} stdout`]) assert.equal(parsePiece(Buffer.from(text)), undefined, text);
});

test('pieces are joined, each stream for itself, with the time of the first', () => {
  const joiner = new LogJoiner();
  const lines = [...joiner.push(Buffer.from(`1 stdout P ab\n2 stderr F err\n3 stdout P cd\n4 stdout F ef\n`))];

  assert.deepEqual(lines.map((line) => [line.time, line.stream, line.content.toString()]), [['2', 'stderr', 'err'], ['1', 'stdout', 'abcdef']]);
});

test('a line without an end is not held, and what comes behind it is read again', () => {
  const joiner = new LogJoiner();
  for (let n = 0; n < 40; n++) assert.deepEqual(joined(joiner, `1 stdout F ${'x'.repeat(64 * 1024)}`), []);

  assert.deepEqual(joined(joiner, 'the end\n2 stdout F next\n'), ['stdout:next']);
});

test('bytes may be cut anywhere, and contents are bytes', () => {
  const joiner = new LogJoiner();
  const file = Buffer.concat([Buffer.from('1 stdout F '), Buffer.from([0xff, 0x00, 0xc3]), Buffer.from('\n2 stdout F b\n')]);
  const lines = [...file].flatMap((byte) => [...joiner.push(Buffer.from([byte]))]);

  assert.deepEqual(lines.map((line) => [...line.content]), [[0xff, 0x00, 0xc3], [0x62]]);
});

test('what was never ended comes out at the flush', () => {
  const joiner = new LogJoiner();

  assert.deepEqual(joined(joiner, '1 stdout P half\n'), []);
  assert.deepEqual([...joiner.flush()].map((line) => line.content.toString()), ['half']);
  assert.deepEqual([...joiner.flush()], []);
});

test('an endless line is handed out in parts', () => {
  const joiner = new LogJoiner();
  const piece = `1 stdout P ${'x'.repeat(16_000)}\n`;
  const lines = Array.from({ length: 100 }, () => joined(joiner, piece)).flat();

  assert.equal(lines.length, 1);
});
