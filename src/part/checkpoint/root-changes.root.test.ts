import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { libc } from '../../host/libc.ts';
import { rootChanges } from './root-changes.ts';
import { writeTar } from './write-tar.ts';

/** An upper directory over a layer with `etc/group`, `etc/hosts` and `var/log/a`. */
function treeOf(t: TestContext): { upper: string; layer: string; folder: string; whiteout: (path: string) => void } {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-changes-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [upper, layer] = [join(folder, 'upper'), join(folder, 'layer')];
  for (const path of [join(upper, 'etc'), join(layer, 'etc'), join(layer, 'var/log')]) mkdirSync(path, { recursive: true });
  for (const path of ['etc/group', 'etc/hosts', 'var/log/a']) writeFileSync(join(layer, path), path);
  return { upper, layer, folder, whiteout: (path) => libc.mknod(join(upper, path), 0o20000, 0n) };
}

test('what is in the upper directory was changed, what overlayfs marks there is gone', async (t) => {
  const { upper, layer, whiteout } = treeOf(t);
  writeFileSync(join(upper, 'etc/hosts'), 'changed');
  symlinkSync('/', join(upper, 'etc/root'));
  whiteout('etc/group');
  whiteout('var');

  const { present, deleted } = await rootChanges(upper, [layer]);

  assert.deepEqual(present.map(String).toSorted(), ['.', 'etc', 'etc/hosts', 'etc/root']);
  assert.deepEqual([...deleted].toSorted(), ['/etc/group', '/var']);
});

test('a directory that hides those below is told by each name that it hides and has not', async (t) => {
  const { upper, layer } = treeOf(t);
  writeFileSync(join(upper, 'etc/hosts'), 'new');
  libc.lsetxattr(join(upper, 'etc'), 'trusted.overlay.opaque', Buffer.from('y'), 0);

  assert.deepEqual((await rootChanges(upper, [layer, join(layer, 'nothing')])).deleted, ['/etc/group']);
});

test('what an archive cannot hold is refused by name', async (t) => {
  const { upper, layer, whiteout } = treeOf(t);
  libc.mknod(Buffer.concat([Buffer.from(`${upper}/`), Buffer.of(0xff)]), 0o20000, 0n);
  await assert.rejects(rootChanges(upper, [layer]), { kind: 'failed-precondition', message: 'read the changes of a root "\ufffd": it was deleted, and its name is not UTF-8, which a checkpoint cannot hold' });
  execFileSync('find', [upper, '-maxdepth', '1', '-type', 'c', '-delete']);

  whiteout('var');
  renameSync(join(upper, 'etc'), join(upper, 'moved'));
  libc.lsetxattr(join(upper, 'moved'), 'trusted.overlay.redirect', Buffer.from('etc'), 0);
  await assert.rejects(rootChanges(upper, [layer]), { message: 'read the changes of a root moved: the directory was renamed, and this kernel notes that as a redirect (overlay.redirect_dir): switch that off on this node' });
});

test('a tar has the named files with modes and attributes, without those of overlayfs, and keeps the mode of its own file', async (t) => {
  const { upper, folder } = treeOf(t);
  writeFileSync(join(upper, '-odd'), 'odd');
  writeFileSync(join(upper, 'left out'), '');
  chmodSync(join(upper, '-odd'), 0o4711);
  libc.lsetxattr(join(upper, '-odd'), 'user.colour', Buffer.from('red'), 0);
  libc.lsetxattr(join(upper, 'etc'), 'trusted.overlay.opaque', Buffer.from('y'), 0);
  const to = join(folder, 'out.tar');
  writeFileSync(to, 'old', { mode: 0o600 });

  await writeTar({ directory: upper, names: ['.', '-odd', 'etc'].map((name) => Buffer.from(name)), recursive: false, to, deadlineMs: 60_000, signal: new AbortController().signal });

  assert.equal(statSync(to).mode & 0o777, 0o600);
  const out = join(folder, 'out');
  mkdirSync(out);
  execFileSync('tar', ['-xpf', to, '--xattrs', '--xattrs-include=*', '-C', out]);
  assert.deepEqual(execFileSync('ls', ['-A', out], { encoding: 'utf8' }).split('\n').filter(Boolean), ['-odd', 'etc']);
  assert.equal(statSync(join(out, '-odd')).mode & 0o7777, 0o4711);
  assert.equal(libc.lgetxattr(join(out, '-odd'), 'user.colour')?.toString(), 'red');
  assert.equal(libc.lgetxattr(join(out, 'etc'), 'trusted.overlay.opaque'), undefined);
});

test('what tar complains about is the failure', async (t) => {
  const { upper, folder } = treeOf(t);

  await assert.rejects(writeTar({ directory: upper, names: [Buffer.from('nothing')], recursive: true, to: join(folder, 'out.tar'), deadlineMs: 60_000, signal: new AbortController().signal }), { kind: 'internal', message: /out\.tar: .*nothing: .*No such file/ });
});
