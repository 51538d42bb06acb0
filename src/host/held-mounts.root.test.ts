import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isKind } from '../base/errors.ts';
import { heldMounts } from './held-mounts.ts';
import { libc, MNT_DETACH, MS_BIND } from './libc.ts';
import { mountsBelow, removeUnmountedTree } from './mounts-below.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

test('mounts in the entries of a folder are found, the newest first, and one on the folder itself is not ours to take away', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'held-mounts-'));
  t.after(async () => {
    for (const { mountPoint } of (await mountsBelow(folder)).reverse()) libc.umount2(mountPoint, MNT_DETACH);
    rmSync(folder, { recursive: true });
  });
  libc.mount('tmpfs', folder, 'tmpfs', 0, 'size=1m');
  const [outer, inner, other] = [join(folder, 'pod', 'shm'), join(folder, 'pod', 'shm', 'deep'), join(folder, 'other')];
  mkdirSync(outer, { recursive: true });
  mkdirSync(other);
  libc.mount('tmpfs', outer, 'tmpfs', 0, 'size=1m');
  mkdirSync(inner);
  libc.mount('tmpfs', inner, 'tmpfs', 0, 'size=1m');
  libc.mount('tmpfs', other, 'tmpfs', 0, 'size=1m');

  const found = await heldMounts([{ folder, ownerOf: (name) => (name === 'pod' ? name : undefined) }]);

  assert.deepEqual(found.map(({ kind, name, owner }) => [kind, name, owner]), [['mount', inner, 'pod'], ['mount', outer, 'pod']]);
  for (const thing of found) await thing.remove();
  for (const thing of found) await thing.remove();
  assert.deepEqual((await mountsBelow(folder)).map(({ mountPoint }) => mountPoint), [folder, other]);
});

test('a tree with a mount of somebody else in it is not removed, not in part either', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'held-mounts-'));
  const [precious, tree] = [join(folder, 'precious'), join(folder, 'tree')];
  for (const path of [precious, join(tree, 'point')]) mkdirSync(path, { recursive: true });
  for (const path of [precious, tree]) writeFileSync(join(path, 'file'), '');
  libc.mount(precious, join(tree, 'point'), '', MS_BIND, null);
  t.after(() => rmSync(folder, { recursive: true }));

  await assert.rejects(removeUnmountedTree(tree), (error) => isKind(error, 'failed-precondition') && (error as Error).message === `remove ${tree}: somebody has mounted something there: unmount ${tree}/point`);

  assert.ok(existsSync(join(precious, 'file')) && existsSync(join(tree, 'file')));
  libc.umount2(join(tree, 'point'), 0);
  await removeUnmountedTree(tree);
  await removeUnmountedTree(tree);
  assert.ok(!existsSync(tree) && existsSync(join(precious, 'file')));
});
