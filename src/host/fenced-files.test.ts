import assert from 'node:assert/strict';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../base/errors.ts';
import { FencedFiles } from './fenced-files.ts';
import { libc } from './libc.ts';
import { PathResolver } from './path-resolver.ts';

const folder = mkdtempSync(join(tmpdir(), 'gantry-fenced-'));
const files = new FencedFiles(new PathResolver());
after(async () => {
  await files.close();
  rmSync(folder, { recursive: true });
});

test('a file is read whole, and its version is another one after each change', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, Buffer.from([0, 0xff, 0x41]));

  const first = await files.readVersion(path, 3);
  assert.deepEqual(first.bytes, Buffer.from([0, 0xff, 0x41]));
  assert.deepEqual(await files.listVersions(folder, ['ile']), [{ name: 'file', version: first.version }]);
  writeFileSync(join(folder, 'new'), 'abc');
  renameSync(join(folder, 'new'), path);

  assert.notEqual((await files.readVersion(path, 3)).version, first.version);
  await assert.rejects(files.read(path, 2), { message: 'it has 3 bytes, and at most 2 are read' });
});

test('errors are those of Node, by their codes; a link that leads nowhere is there', async () => {
  symlinkSync('nowhere', join(folder, 'dangling'));
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'sub/b'), '');
  writeFileSync(join(folder, 'sub/a'), '');

  assert.deepEqual(await files.list(join(folder, 'sub')), ['a', 'b']);
  await files.lookFor(join(folder, 'dangling'));
  await files.checkProgram(process.execPath);
  await assert.rejects(files.read(join(folder, 'dangling'), 1), { code: 'ENOENT' });
  await assert.rejects(files.list(join(folder, 'absent')), { code: 'ENOENT' });
  await assert.rejects(files.lookFor(join(folder, 'absent')), { code: 'ENOENT' });
  await assert.rejects(files.checkProgram(join(folder, 'absent/x')), { code: 'ENOENT' });
  await assert.rejects(files.list(join(folder, 'sub/a')), { code: 'ENOTDIR' });
  await assert.rejects(files.checkProgram(join(folder, 'sub/a')), { code: 'EACCES' });
});

test('a dead file system is waited for once; then whoever asks is told at once, and all other files are read', async (t) => {
  const [dead, other] = [join(folder, 'dead'), join(folder, 'other')];
  for (const fifo of [dead, other]) libc.mknod(fifo, 0o010600, 0n);
  const answer = (fifo: string): void => closeSync(openSync(fifo, 'r+'));
  t.after(() => [dead, other].forEach(answer));
  const silent = new FencedFiles(new PathResolver({ deadlineMs: 500, onceAPath: true, workerFile: new URL('./silent-worker.fake.ts', import.meta.url) }));

  await Promise.all(Array.from({ length: 6 }, () => assert.rejects(silent.read(dead, 1), { kind: 'deadline-exceeded', message: `read file ${dead}: its file system did not answer within 0.5 s` })));

  await assert.rejects(silent.list(dead), { kind: 'unavailable', message: `list folder ${dead}: its file system did not answer the last time, and still does not: unmount it if it is dead` });
  await assert.rejects(silent.read(other, 1), { kind: 'deadline-exceeded' }, 'another path is tried for itself');
  assert.notEqual((await readFile('/proc/self/stat')).length, 0);
  answer(dead);
  while (await silent.lookFor(dead).then(() => false, (error: unknown) => isKind(error, 'unavailable'))) await sleep(5);
});

test('what the kernel knows is reached without a thread; what it does not know is asked for, and a dead server is told', async (t) => {
  const fifo = join(folder, 'never-answers');
  libc.mknod(fifo, 0o010600, 0n);
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => {
    closeSync(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK));
    closeSync(fd);
  });
  const silent = new FencedFiles(new PathResolver({ deadlineMs: 500, workerFile: new URL('./silent-worker.fake.ts', import.meta.url) }));
  writeFileSync(join(folder, 'program'), '', { mode: 0o755 });
  writeFileSync(join(folder, 'text'), '', { mode: 0o644 });
  const uncached = `/proc/${process.pid}/fd/${fd}`; // such names are looked up anew each time

  await silent.reachProgram(join(folder, 'program'));
  await assert.rejects(silent.reachProgram(join(folder, 'text')), { code: 'EACCES' });
  await assert.rejects(silent.reach(uncached), { kind: 'deadline-exceeded', message: `find ${uncached}: its file system did not answer within 0.5 s` });
});
