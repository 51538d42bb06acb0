import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isKind } from '../../base/errors.ts';
import type { ErrorKind } from '../../base/errors.ts';
import { libc } from '../../host/libc.ts';
import { CopySnapshotter } from './copy.ts';
import { SnapshotBed, snapshotContract } from './snapshot-contract.suite.ts';
import { changesDir, releaseRoot, removeWritableLayer } from './snapshotter.ts';

const snapshotter = new CopySnapshotter();
const { signal } = new AbortController();

snapshotContract(snapshotter);

function smallFilesystem(t: TestContext, options: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-small-'));
  libc.mount('tmpfs', folder, 'tmpfs', 0, options);
  t.after(() => {
    libc.umount2(folder, 0);
    rmdirSync(folder);
  });
  return folder;
}

function fails(work: Promise<unknown>, kind: ErrorKind, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.match((error as Error).message, message);
    return isKind(error, kind);
  });
}

for (const [what, options] of [['bytes', 'size=2m'], ['inodes', 'nr_inodes=30']] as const) {
  test(`no ${what} left for a copy: the error says what to do, and its removal gives back what was used`, async (t) => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`f${n}`, 'x'.repeat(100_000)]));
    const bed = new SnapshotBed(t, [files]);
    const small = smallFilesystem(t, options);
    const request = { ...bed.root, writableDir: join(small, 'w') };

    await fails(snapshotter.prepareRoot(request, signal), 'resource-exhausted', /^copy root filesystem to .*w\/root: no bytes or inodes are left on its filesystem for a copy of the image \(ENOSPC: .*\): free some, or choose a --root that overlayfs can use$/);

    assert.equal(existsSync(changesDir('copy', request.writableDir)), false, 'a part is never taken for the whole');
    await releaseRoot(request.mountpoint);
    await removeWritableLayer(request.writableDir);
    assert.deepEqual(readdirSync(small), []);
  });
}

test('what an interrupted copy left is not taken for the whole: the next begins anew', async (t) => {
  const bed = new SnapshotBed(t, [{ a: 'a' }]);
  const part = `${changesDir('copy', bed.root.writableDir)}.part`;
  mkdirSync(part, { recursive: true });
  writeFileSync(join(part, 'half'), '');

  await snapshotter.prepareRoot(bed.root, signal);

  assert.deepEqual(readdirSync(bed.root.mountpoint), ['a']);
  assert.deepEqual(readdirSync(bed.root.writableDir), ['root']);
});

test('a copy that is not wanted any more ends, and nothing is written after that', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`f${n}`, '']));
  const bed = new SnapshotBed(t, [files]);
  const controller = new AbortController();
  const part = `${changesDir('copy', bed.root.writableDir)}.part`;

  const copying = snapshotter.prepareRoot(bed.root, controller.signal);
  while (!existsSync(part)) await new Promise((resolve) => setImmediate(resolve));
  controller.abort();

  await fails(copying, 'cancelled', /^copy root filesystem .*\/m: it is not wanted any more$/);
  await removeWritableLayer(bed.root.writableDir);
  assert.equal(existsSync(bed.root.writableDir), false);
  await fails(snapshotter.prepareRoot(bed.root, controller.signal), 'cancelled', /it is not wanted any more/);
});

test('many copies take turns, and all of them are made', async (t) => {
  const beds = Array.from({ length: 4 }, () => new SnapshotBed(t, [{ a: 'a' }]));

  await Promise.all(beds.map((bed) => snapshotter.prepareRoot(bed.root, signal)));

  assert.deepEqual(beds.map((bed) => bed.read('a')), ['a', 'a', 'a', 'a']);
});

test('it tells what of the writable layer came with the image', async (t) => {
  const bed = new SnapshotBed(t, [{ big: 'x'.repeat(100_000), 'folder/a': 'a' }, { big: 'y'.repeat(1_000_000) }]);

  const copied = await snapshotter.prepareRoot(bed.root, signal);

  assert.equal(copied?.inodes, 3n);
  const blocks = ['big', 'folder', 'folder/a'].map((name) => lstatSync(bed.path(name)).blocks * 512);
  assert.equal(copied.bytes, BigInt(blocks.reduce((sum, block) => sum + block)));
});

test('deletions that are marked by name are understood too, for layers on filesystems that refuse the other marks', async (t) => {
  const bed = new SnapshotBed(t, [
    { '.wh.gone': '', '.wh.again': '', 'again/new': 'new', 'again/.wh..wh..opq': '', 'opaque/.wh..wh..opq': '', 'opaque/new': 'new' },
    { '.wh.middle': '', other: 'other' },
    { gone: '', 'gone-folder/kept': '', 'opaque/old': '', 'middle/x': '', 'again/x': 'below' },
  ]);

  await snapshotter.prepareRoot(bed.root, signal);

  assert.deepEqual(readdirSync(bed.root.mountpoint).sort(), ['again', 'gone-folder', 'opaque', 'other']);
  assert.deepEqual([readdirSync(bed.path('opaque')), readdirSync(bed.path('again'))], [['new'], ['new']]);
});

test('between two filesystems the content is read and written, holes stay holes', async (t) => {
  const bed = new SnapshotBed(t, [{
    text: 'text', sparse: (path) => {
      writeFileSync(path, Buffer.alloc(2_500_000, 7));
      truncateSync(path, 5 << 20);
    },
  }], smallFilesystem(t, 'size=16m'));
  const elsewhere = new SnapshotBed(t, []);

  await snapshotter.prepareRoot({ ...elsewhere.root, layers: bed.root.layers }, signal);

  assert.equal(elsewhere.read('text'), 'text');
  assert.deepEqual(readFileSync(elsewhere.path('sparse')), readFileSync(join(bed.root.layers[0]!, 'sparse')));
  assert.ok(lstatSync(elsewhere.path('sparse')).blocks * 512 < 3 << 20);
});

test('an SELinux label is on every file of the copy', { skip: existsSync('/sys/fs/selinux/enforce') && 'the label here has to be one of the policy' }, async (t) => {
  const bed = new SnapshotBed(t, [{ 'folder/a': 'a' }]);

  await snapshotter.prepareRoot({ ...bed.root, selinuxLabel: 'u:object_r:t:s0:c1,c2' }, signal);

  for (const name of ['', 'folder', 'folder/a']) assert.equal(libc.lgetxattr(bed.path(name), 'security.selinux')?.toString(), 'u:object_r:t:s0:c1,c2\0');
});
