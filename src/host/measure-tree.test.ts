import assert from 'node:assert/strict';
import { appendFileSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { measureTrees } from './measure-tree.ts';
import type { MeasureBounds, MeasureRequest } from './measure-tree.ts';

const wide: MeasureBounds = { entriesPerSecond: 1e9, maxEntries: 1e9, deadlineMs: 60_000 };
const request: MeasureRequest = { bounds: wide, signal: new AbortController().signal };

function emptyFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-measure-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('all below the directories counts, a file with several names once, a hole not at all', async (t) => {
  const folder = emptyFolder(t);
  for (const name of ['one/deep', 'other']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'one/deep/big'), Buffer.alloc(100_000, 1));
  for (const name of ['second', 'third']) linkSync(join(folder, 'one/deep/big'), join(folder, 'one', name));
  writeFileSync(join(folder, 'other/sparse'), '');
  truncateSync(join(folder, 'other/sparse'), 1 << 30);

  const measured = await measureTrees([join(folder, 'one'), join(folder, 'absent'), join(folder, 'other')], request);

  assert.equal(measured?.inodes, 3n);
  assert.ok(measured.bytes >= 100_000n && measured.bytes < 150_000n, String(measured.bytes));
  assert.ok(measured.complete);
});

test('of directories that do not exist there is nothing to say', async (t) => {
  const folder = emptyFolder(t);
  writeFileSync(join(folder, 'file'), '');

  assert.equal(await measureTrees([join(folder, 'absent'), join(folder, 'file')], request), undefined);
});

test('symlinks are counted, not followed', async (t) => {
  const folder = emptyFolder(t);
  symlinkSync('/usr', join(folder, 'away'));

  assert.equal((await measureTrees([folder], request))?.inodes, 1n);
});

test('names that are no text are counted as others', async (t) => {
  const folder = emptyFolder(t);
  const strange = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xe4])]);
  mkdirSync(strange);
  writeFileSync(Buffer.concat([strange, Buffer.from('/\u00E4')]), '');

  assert.equal((await measureTrees([folder], request))?.inodes, 2n);
});

test('what lies deeper than any path reaches is counted', async (t) => {
  const folder = emptyFolder(t);
  const name = 'd'.repeat(200);
  const start = process.cwd();
  process.chdir(folder);
  try {
    for (let depth = 0; depth < 60; depth++) {
      mkdirSync(name);
      process.chdir(name);
    }
    writeFileSync('hidden', Buffer.alloc(50_000, 1));
  } finally {
    process.chdir(start);
  }

  const measured = await measureTrees([folder], request);

  assert.equal(measured?.inodes, 61n);
  assert.ok(measured.bytes >= 50_000n);
});

test('files that come and go meanwhile do not end the walk', async (t) => {
  const folder = emptyFolder(t);
  for (let n = 0; n < 300; n++) mkdirSync(join(folder, `d${n}`));
  let pauses = 0;
  const pause = async (): Promise<void> => {
    pauses += 1;
    for (let n = 0; n < 300; n += 2) rmSync(join(folder, `d${n}`), { recursive: true, force: true });
    for (let n = 1; n < 300; n += 2) appendFileSync(join(folder, `d${n}/new`), 'x');
  };

  const measured = await measureTrees([folder], { bounds: { ...wide, entriesPerSecond: 1 }, signal: request.signal, pause });

  assert.ok(pauses > 0);
  assert.ok(measured!.complete && measured!.inodes >= 300n, String(measured?.inodes));
});

test('it waits after each slice, so long that no more entries a second are looked at than it may', async (t) => {
  const folder = emptyFolder(t);
  for (let n = 0; n < 500; n++) writeFileSync(join(folder, String(n)), '');
  const pauses: number[] = [];
  const pause = async (ms: number): Promise<void> => { pauses.push(ms); };

  await measureTrees([folder], { bounds: { ...wide, entriesPerSecond: 10 }, signal: request.signal, pause });

  assert.equal(pauses.length, 2);
  assert.ok(pauses.every((ms) => ms > 15_000 && ms <= 25_000), String(pauses)); // 250 entries at 10 a second, less the time that they took
});

test('a walk that reaches a bound says that there is more', async (t) => {
  const folder = emptyFolder(t);
  for (let n = 0; n < 10; n++) writeFileSync(join(folder, String(n)), '');

  const few = await measureTrees([folder], { ...request, bounds: { ...wide, maxEntries: 4 } });
  const late = await measureTrees([folder], { ...request, bounds: { ...wide, deadlineMs: 0 } });

  assert.deepEqual({ inodes: few?.inodes, complete: few?.complete }, { inodes: 4n, complete: false });
  assert.deepEqual(late, { bytes: 0n, inodes: 0n, complete: false });
});

test('an aborted walk ends before the next entry', async (t) => {
  const folder = emptyFolder(t);
  for (let n = 0; n < 300; n++) writeFileSync(join(folder, String(n)), '');
  const stop = new AbortController();
  let pauses = 0;
  const pause = async (): Promise<void> => {
    pauses += 1;
    stop.abort(new Error('not wanted any more'));
  };

  await assert.rejects(measureTrees([folder], { bounds: { ...wide, entriesPerSecond: 1 }, signal: stop.signal, pause }), /not wanted any more/);
  assert.equal(pauses, 1);
});
