import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntryReader } from './log-entries.ts';

const stamp = '2026-01-02T03:04:05.000000001Z';
const piece = 16 * 1024;

const frame = (kind: number, text: string): Buffer => {
  const header = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

/** All entries, with the bytes given in steps. */
function read(tty: boolean, bytes: Buffer, step: number): string[] {
  const reader = new EntryReader({ tty });
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += step) lines.push(...reader.push(bytes.subarray(at, at + step)).map(({ line }) => line.toString()));
  return lines;
}

test('each frame is a line of the CRI log, and one without an end is a part of a line', () => {
  const bytes = Buffer.concat([frame(1, `${stamp} one\n`), frame(2, `${stamp} two\n`), frame(1, `${stamp} \n`), frame(1, `${stamp} part`), frame(1, `${stamp} end\n`)]);

  for (const step of [1, 7, bytes.length]) {
    assert.deepEqual(read(false, bytes, step), [`${stamp} stdout F one\n`, `${stamp} stderr F two\n`, `${stamp} stdout F \n`, `${stamp} stdout P part\n`, `${stamp} stdout F end\n`]);
  }
});

test('a terminal has one output without frames, whose long lines come in pieces', () => {
  const long = 'x'.repeat(piece);
  const bytes = Buffer.from(`${stamp} one\r\n${stamp} ${long}${stamp} rest\n${stamp} ${long}\n`);

  for (const step of [1000, bytes.length]) {
    assert.deepEqual(read(true, bytes, step), [`${stamp} stdout F one\r\n`, `${stamp} stdout P ${long}\n`, `${stamp} stdout F rest\n`, `${stamp} stdout F ${long}\n`]);
  }
});
