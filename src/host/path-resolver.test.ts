import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../base/errors.ts';
import { abandonedWork, onAbandoned } from './abandoned.ts';
import { libc } from './libc.ts';
import { PathResolver } from './path-resolver.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'gantry-paths-')));
const resolver = new PathResolver();
after(async () => {
  await resolver.close();
  rmSync(folder, { recursive: true });
});

test('symlinks are followed, in the last name and on the way', async () => {
  mkdirSync(join(folder, 'real/deep'), { recursive: true });
  writeFileSync(join(folder, 'real/deep/file'), '');
  symlinkSync('real', join(folder, 'alias'));
  symlinkSync(join(folder, 'alias/deep/file'), join(folder, 'far'));

  assert.equal(await resolver.resolve(join(folder, 'alias/deep')), join(folder, 'real/deep'));
  assert.equal(await resolver.resolve(join(folder, 'far')), join(folder, 'real/deep/file'));
});

test('whatever a path leads to is found: a device, a name with blanks and newlines', async () => {
  mkdirSync(join(folder, 'a b\n(deleted)'));

  assert.equal(await resolver.resolve('/dev/null'), '/dev/null');
  assert.equal(await resolver.resolve(join(folder, 'a b\n(deleted)')), join(folder, 'a b\n(deleted)'));
});

test('a path that leads nowhere is not-found, one through a file or in a circle is failed-precondition', async () => {
  symlinkSync('circle', join(folder, 'circle'));
  symlinkSync('nowhere', join(folder, 'dangling'));
  writeFileSync(join(folder, 'plain'), '');

  for (const name of ['absent', 'dangling']) {
    await assert.rejects(resolver.resolve(join(folder, name)), { kind: 'not-found', message: `find ${join(folder, name)}: there is no such file or directory on this node` });
  }
  await assert.rejects(resolver.resolve(join(folder, 'plain/below')), { kind: 'failed-precondition', message: /ENOTDIR/ });
  await assert.rejects(resolver.resolve(join(folder, 'circle')), { kind: 'failed-precondition', message: /ELOOP/ });
});

test('a directory is made with its parents, and found when it is there', async () => {
  const path = join(folder, 'made/on/demand');

  assert.equal(await resolver.makeDirectory(path), path);
  assert.equal(await resolver.makeDirectory(path), path);
  assert.equal(statSync(path).mode & 0o7777, 0o755);
});

test('a device is found behind a symlink, devices in the folders below; what is neither is told', async () => {
  symlinkSync('/dev/zero', join(folder, 'zero'));
  mkdirSync(join(folder, 'devices/deep'), { recursive: true });
  libc.mknod(join(folder, 'devices/deep/pipe'), 0o010600, 0n);
  writeFileSync(join(folder, 'no device'), '');

  assert.deepEqual(await resolver.devicesAt(join(folder, 'zero')), [{ below: '', type: 'c', major: 1, minor: 5, mode: 0o666, uid: 0, gid: 0 }]);
  assert.deepEqual(await resolver.devicesAt(join(folder, 'devices')), []);
  assert.deepEqual((await resolver.devicesAt('/dev')).find(({ below }) => below === 'null')?.minor, 3);
  await assert.rejects(resolver.devicesAt(join(folder, 'no device')), { kind: 'failed-precondition', message: /it is neither a device nor a directory/ });
  assert.deepEqual(await resolver.nodeAt(join(folder, 'devices/deep/pipe')), { type: 'p', major: 0, minor: 0, mode: 0o600 });
  assert.equal(await resolver.nodeAt(join(folder, 'zero')), undefined, 'a symlink is not followed');
});

test('a text is read from a regular file up to a size, and from nothing else', async () => {
  const path = join(folder, 'text');
  writeFileSync(path, 'ä b');
  libc.mknod(join(folder, 'pipe'), 0o010600, 0n);

  assert.equal(await resolver.readText(path, 4), 'ä b');
  await assert.rejects(resolver.readText(path, 3), { kind: 'failed-precondition', message: `read ${path}: it has 4 bytes, and at most 3 are read` });
  await assert.rejects(resolver.readText(join(folder, 'pipe'), 3), { kind: 'failed-precondition', message: /it is not a regular file/ });
  await assert.rejects(resolver.readText(join(folder, 'absent'), 3), { kind: 'not-found' });
});

/** A resolver whose every thread waits in the kernel until `answer` is called. */
function silentResolver(name: string, options: { deadlineMs: number; mostLost?: number }): { silent: PathResolver; fifo: string; answer: () => void } {
  const fifo = join(folder, name);
  libc.mknod(fifo, 0o010600, 0n);
  const silent = new PathResolver({ ...options, workerFile: new URL('./silent-worker.fake.ts', import.meta.url) });
  return { silent, fifo, answer: () => closeSync(openSync(fifo, 'r+')) };
}

test('a file system that does not answer costs its caller the deadline and nobody else anything', async (t) => {
  const { silent, fifo, answer } = silentResolver('dead', { deadlineMs: 1000 });
  t.after(answer);

  const late = assert.rejects(silent.makeDirectory(fifo), { kind: 'deadline-exceeded', message: `make directory ${fifo}: its file system did not answer within 1 s` });
  const told: unknown[] = [];
  t.after(onAbandoned((what) => told.push(what)));

  assert.equal(await silent.resolve(folder), folder, 'what the kernel has in its cache needs no thread');
  await late;
  assert.deepEqual(told, [{ act: 'make directory', object: fifo }]);
  assert.equal(abandonedWork().oldest.filter(({ object }) => object === fifo).length, 1, 'it is counted while it is stuck');
});

test('more dead paths than libuv has threads keep no file of the daemon from being read', async (t) => {
  const { silent, fifo, answer } = silentResolver('many', { deadlineMs: 1000 });
  t.after(answer);

  const late = Array.from({ length: 6 }, () => assert.rejects(silent.readText(fifo, 1), { kind: 'deadline-exceeded' }));

  await readFile('/proc/self/stat');
  await Promise.all(late);
});

test('a question that comes while idle threads are ended is answered by a new one', async () => {
  const own = new PathResolver({ deadlineMs: 5000 });
  const ask = () => assert.rejects(own.resolve(join(folder, 'absent')), { kind: 'not-found' });
  await ask();

  const closing = own.close();

  await ask();
  await Promise.all([closing, own.close()]);
});

test('while too many paths have no answer the next is refused at once, until the file systems are back', async (t) => {
  const { silent, fifo, answer } = silentResolver('dead too', { deadlineMs: 1000, mostLost: 2 });
  await Promise.all([1, 2].map(() => assert.rejects(silent.makeDirectory(fifo), { kind: 'deadline-exceeded' })));

  await assert.rejects(silent.makeDirectory(fifo), { kind: 'unavailable', message: `make directory ${fifo}: 2 other paths are on file systems that do not answer: unmount those that are dead` });

  t.after(answer);
  answer();
  while (await silent.makeDirectory(fifo).then(() => false, (error: unknown) => isKind(error, 'unavailable'))) await sleep(5);
});
