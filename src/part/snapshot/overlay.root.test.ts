import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { libc } from '../../host/libc.ts';
import { mountOverlay, mountReadonlyTree, removeWritableLayer, treePath, unmountOverlay, unmountReadonlyTree } from './overlay.ts';
import type { OverlaySnapshot, ReadonlyTree } from './overlay.ts';

function snapshotIn(t: TestContext, layers: readonly Record<string, string>[]): OverlaySnapshot {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-overlay-'));
  const directories = layers.map((files, n) => {
    const directory = join(folder, 'layers', String(n));
    mkdirSync(directory, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    return directory;
  });
  const snapshot = { writableDir: join(folder, 'w'), mountpoint: join(folder, 'm'), layers: directories };
  t.after(async () => {
    await unmountOverlay(snapshot.mountpoint);
    await unmountReadonlyTree(join(folder, 'volume'));
    rmSync(folder, { recursive: true });
  });
  return snapshot;
}

test('the topmost layer wins, and what is written goes to the writable layer only', (t) => {
  const snapshot = snapshotIn(t, [{ both: 'top' }, { both: 'bottom', below: 'here' }]);

  mountOverlay(snapshot);
  writeFileSync(join(snapshot.mountpoint, 'new'), 'written');

  assert.equal(readFileSync(join(snapshot.mountpoint, 'both'), 'utf8'), 'top');
  assert.equal(readFileSync(join(snapshot.mountpoint, 'below'), 'utf8'), 'here');
  assert.equal(readFileSync(join(snapshot.writableDir, 'upper/new'), 'utf8'), 'written');
  assert.equal(existsSync(join(snapshot.layers[0]!, 'new')), false);
});

test('the root has the mode and owner that the image gives it', (t) => {
  const snapshot = snapshotIn(t, [{ a: 'a' }]);
  chmodSync(snapshot.layers[0]!, 0o1755);
  chownSync(snapshot.layers[0]!, 7, 8);

  mountOverlay(snapshot);

  const { mode, uid, gid } = statSync(snapshot.mountpoint);
  assert.deepEqual([mode & 0o7777, uid, gid], [0o1755, 7, 8]);
});

test('the root of an image without layers is whose it is said to be', (t) => {
  const snapshot = { ...snapshotIn(t, []), rootOwner: { uid: 200_000, gid: 200_001 } };

  mountOverlay(snapshot);

  const { mode, uid, gid } = statSync(snapshot.mountpoint);
  assert.deepEqual([mode & 0o7777, uid, gid], [0o755, 200_000, 200_001]);
});

test('what was written is there again after a second mount', async (t) => {
  const snapshot = snapshotIn(t, [{ a: 'a' }]);
  mountOverlay(snapshot);
  writeFileSync(join(snapshot.mountpoint, 'new'), 'kept');
  await unmountOverlay(snapshot.mountpoint);

  mountOverlay(snapshot);

  assert.equal(readFileSync(join(snapshot.mountpoint, 'new'), 'utf8'), 'kept');
});

test('unmounting and removing may be repeated', async (t) => {
  const snapshot = snapshotIn(t, []);
  mountOverlay(snapshot);

  for (let times = 0; times < 2; times++) {
    await unmountOverlay(snapshot.mountpoint);
    await removeWritableLayer(snapshot.writableDir);
  }

  assert.equal(existsSync(snapshot.mountpoint), false);
  assert.equal(existsSync(snapshot.writableDir), false);
});

test('a layer that is gone is named, and nothing is mounted', (t) => {
  const snapshot = snapshotIn(t, [{}]);
  rmSync(snapshot.layers[0]!, { recursive: true });

  assert.throws(() => mountOverlay(snapshot), (error) => isKind(error, 'not-found') && /its layer .*layers\/0 is gone/.test(String(error)));

  assert.equal(existsSync(snapshot.mountpoint), false);
});

function treeIn(t: TestContext, layers: readonly Record<string, string>[]): ReadonlyTree {
  const { layers: directories, mountpoint } = snapshotIn(t, layers);
  return { directory: join(dirname(mountpoint), 'volume'), layers: directories };
}

test('a read-only tree shows the layers merged, whiteouts and all, and cannot be written', (t) => {
  const several = treeIn(t, [{ both: 'top' }, { both: 'bottom', hidden: '', below: 'here' }]);
  const single = treeIn(t, [{ a: 'a' }]);
  libc.mknod(join(several.layers[0]!, 'hidden'), 0o020600, 0n);
  libc.mknod(join(single.layers[0]!, 'removed'), 0o020600, 0n);

  mountReadonlyTree(several);
  mountReadonlyTree(single);

  assert.deepEqual(readdirSync(treePath(several)).sort(), ['below', 'both']);
  assert.equal(readFileSync(join(treePath(several), 'both'), 'utf8'), 'top');
  assert.deepEqual(readdirSync(treePath(single)), ['a']);
  assert.throws(() => writeFileSync(join(treePath(several), 'new'), ''), { code: 'EROFS' });
  assert.throws(() => writeFileSync(join(treePath(single), 'a'), ''), { code: 'EROFS' });
});

test('a read-only tree of no layers is empty; one whose layer is gone is not-found', (t) => {
  const empty = treeIn(t, []);
  mountReadonlyTree(empty);
  assert.deepEqual(readdirSync(treePath(empty)), []);

  assert.throws(() => mountReadonlyTree({ ...empty, layers: ['/no/such/layer'] }), { kind: 'not-found', message: /its layer \/no\/such\/layer is gone/ });
});

test('a read-only tree is taken away with its directory, also twice, and its layers stay', async (t) => {
  const tree = treeIn(t, [{ a: 'a' }]);
  mountReadonlyTree(tree);

  await unmountReadonlyTree(tree.directory);
  await unmountReadonlyTree(tree.directory);

  assert.equal(existsSync(tree.directory), false);
  assert.equal(readFileSync(join(tree.layers[0]!, 'a'), 'utf8'), 'a');
});
