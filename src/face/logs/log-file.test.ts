import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { readLog, type ReadLogOptions } from './log-file.ts';

async function logFile(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'gantry-log-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, '0.log');
  await writeFile(file, text);
  return file;
}

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `2026-01-01T00:00:${String(from + i).padStart(2, '0')}Z stdout F line ${from + i}\n`).join('');
const never = new AbortController().signal;

async function contents(file: string, options: Partial<ReadLogOptions> = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLog(file, { signal: never, ...options })) lines.push(line.content.toString());
  return lines;
}

test('a log is read to its end', async (t) => {
  const file = await logFile(t, numbered(1, 3));

  assert.deepEqual(await contents(file), ['line 1', 'line 2', 'line 3']);
});

test('tail gives the last lines, however many there are', async (t) => {
  const file = await logFile(t, numbered(1, 59));

  assert.deepEqual(await contents(file, { tail: 2 }), ['line 58', 'line 59']);
  assert.deepEqual(await contents(file, { tail: 0 }), []);
  assert.equal((await contents(file, { tail: 1000 })).length, 59);
});

test('tail in a log of many blocks does not read from its beginning', async (t) => {
  const long = 'x'.repeat(1000);
  const file = await logFile(t, Array.from({ length: 5000 }, (_, i) => `t ${i % 2 ? 'stdout' : 'stderr'} F ${i} ${long}\n`).join(''));

  assert.deepEqual((await contents(file, { tail: 3 })).map((line) => line.split(' ')[0]), ['4997', '4998', '4999']);
});

test('what somebody put into a log without a line end is passed over, from either side', async (t) => {
  const file = await logFile(t, numbered(1, 3));
  const { size } = await stat(file);
  await truncate(file, size + (8 << 20));
  await appendFile(file, `\n${numbered(4, 5)}`);

  assert.deepEqual(await contents(file), ['line 1', 'line 2', 'line 3', 'line 4', 'line 5']);
  assert.deepEqual(await contents(file, { tail: 3 }), ['line 3', 'line 4', 'line 5']);
  assert.deepEqual(await contents(file, { tail: 2 }), ['line 4', 'line 5']);
  const interrupted = AbortSignal.abort();
  assert.deepEqual(await contents(file, { tail: 3, signal: interrupted }), []);
});

test('tail counts joined lines, and finds the beginning of one that another stream interrupts', async (t) => {
  const file = await logFile(t, 't stdout F old\nt stdout P be\nt stderr F err 1\nt stdout P gin\nt stderr F err 2\nt stdout F ning\n');

  assert.deepEqual(await contents(file, { tail: 1 }), ['beginning']);
  assert.deepEqual(await contents(file, { tail: 2 }), ['err 2', 'beginning']);
});

test('since leaves out older lines', async (t) => {
  const file = await logFile(t, numbered(1, 5));

  assert.deepEqual(await contents(file, { sinceMs: Date.parse('2026-01-01T00:00:04Z') }), ['line 4', 'line 5']);
});

test('a missing log says what that means', async (t) => {
  const file = await logFile(t, '');

  await assert.rejects(contents(`${file}.gone`), { kind: 'not-found', message: /there is no such file: the container wrote nothing yet/ });
});

/** Follows the file; `steps` run one after the other, each when the reader has caught up with the one before. */
async function followed(file: string, steps: readonly (() => Promise<void>)[], tail?: number): Promise<string[]> {
  let next = 0;
  const isOver = async () => {
    const step = steps[next++];
    if (step) await step();
    return next > steps.length + 2;
  };
  return contents(file, { follow: { isOver }, ...(tail === undefined ? {} : { tail }) });
}

test('a followed log gives what is added until the container ends', async (t) => {
  const file = await logFile(t, numbered(1, 2));

  assert.deepEqual(await followed(file, [() => appendFile(file, 't stdout P half'), () => appendFile(file, ' a line\nt stdout F  done\n')], 1), ['line 2', 'half a line done']);
});

test('a rotation is followed, and the last words of the old file are not lost', async (t) => {
  const file = await logFile(t, numbered(1, 1));
  const rotate = async () => {
    await appendFile(file, 't stdout F last of the old\n');
    await rename(file, `${file}.20260101`);
    await writeFile(file, 't stdout F first of the new\n');
  };

  assert.deepEqual(await followed(file, [rotate, () => appendFile(file, 't stdout F more\n')]), ['line 1', 'last of the old', 'first of the new', 'more']);
});

test('a log that was cut is read from its new beginning', async (t) => {
  const file = await logFile(t, numbered(1, 3));
  const cut = async () => {
    await truncate(file, 0);
    await appendFile(file, 't stdout F anew\n');
  };

  assert.deepEqual(await followed(file, [cut]), ['line 1', 'line 2', 'line 3', 'anew']);
});

test('following stops when the person interrupts', async (t) => {
  const file = await logFile(t, numbered(1, 1));
  const interrupt = new AbortController();
  setTimeout(() => interrupt.abort(), 50);

  assert.deepEqual(await contents(file, { signal: interrupt.signal, follow: { isOver: async () => false } }), ['line 1']);
});

test('what is no plain file is not read, be it by a link', async (t) => {
  const file = await logFile(t, numbered(1, 1));
  await symlink(file, `${file}.link`);

  await assert.rejects(contents(`${file}.link`), { kind: 'failed-precondition', message: `read log ${file}.link: it is a link, and a log is a file` });
  await assert.rejects(contents(path.dirname(file)), { kind: 'failed-precondition', message: `read log ${path.dirname(file)}: it is not a plain file` });
});
