import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { positionOf } from './log-position.ts';

const [first, second] = ['2026-01-02T03:04:05.000000001Z', '2026-01-02T03:04:05.000000002Z'];

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'gantry-log-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

test('the last line tells how far a log is, with all that have its time', async (t) => {
  const log = join(await folder(t), '0.log');
  await writeFile(log, `${first} stdout F a\n${second} stdout P b\n${second} stdout F c\n`);

  assert.deepEqual(await positionOf(log), { time: second, entries: 2 });
});

test('a line that was written in part is cut off', async (t) => {
  const log = join(await folder(t), '0.log');
  await writeFile(log, `${first} stdout F a\n${second} stdo`);

  assert.deepEqual(await positionOf(log), { time: first, entries: 1 });
  assert.equal(await readFile(log, 'utf8'), `${first} stdout F a\n`);
});

test('after a rotation the newest file that was the log before tells, and one that is being written by another is left as it is', async (t) => {
  const log = join(await folder(t), '0.log');
  await writeFile(log, '');
  await writeFile(`${log}.20260102-030405`, `${first} stdout F a\n`);
  await writeFile(`${log}.20260102-030406`, `${second} stdout F b\n`);
  await writeFile(`${log}.20260102-030404.gz`, 'not a log');
  await utimes(`${log}.20260102-030405`, 1, 1);

  assert.deepEqual(await positionOf(log), { time: second, entries: 1 });
});

test('a log that was never begun is at its beginning', async (t) => {
  assert.deepEqual(await positionOf(join(await folder(t), 'none', '0.log')), { time: '', entries: 0 });
});
