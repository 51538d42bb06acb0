/** The walk as it is, on real file systems; only the attribute's name is another, for this kernel may have no SELinux. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { libc, MNT_DETACH } from '../../host/libc.ts';
import type { LabelRequest } from './label-tree.ts';
import { relabel } from './relabel.ts';

const attribute = 'trusted.gantry-test';
const label = 'system_u:object_r:container_file_t:s0:c1,c2';
const signal = new AbortController().signal;

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'gantry-relabel-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function labelOf(path: string): string | undefined {
  return libc.lgetxattr(path, attribute)?.toString().replace(/\0$/, '');
}

function relabelled(path: string, change: Partial<LabelRequest> = {}) {
  return relabel({ path, label, attribute, own: ['/var/lib/gantry'], ...change }, { deadlineMs: 20_000, signal });
}

/** A volume with one of everything, and a folder beside it that must stay as it is. */
function volume(t: TestContext): { dir: string; inside: string[]; outside: string } {
  const dir = folder(t);
  const [top, outside] = [join(dir, 'volume'), join(dir, 'outside')];
  mkdirSync(join(top, 'a/b'), { recursive: true });
  mkdirSync(outside);
  for (const file of [join(top, 'file'), join(top, 'a/b/deep'), join(outside, 'file')]) writeFileSync(file, '');
  symlinkSync(outside, join(top, 'a/link'));
  symlinkSync('/nowhere', join(top, 'dangling'));
  execFileSync('mkfifo', [join(top, 'fifo')]);
  return { dir: top, inside: ['', 'a', 'a/b', 'a/b/deep', 'file', 'a/link', 'dangling', 'fifo'].map((name) => join(top, name)), outside };
}

test('everything in a volume gets the label: folders, files, symlinks themselves, FIFOs; nothing that a symlink leads to', async (t) => {
  const { dir, inside, outside } = volume(t);

  assert.deepEqual(await relabelled(dir), { outcome: 'labelled', changed: inside.length });

  for (const path of inside) assert.equal(labelOf(path), label, path);
  for (const path of [outside, join(outside, 'file')]) assert.equal(labelOf(path), undefined, path);
});

test('a volume whose top is right is not walked again; one that was cut short is finished', async (t) => {
  const { dir, inside } = volume(t);
  await relabelled(dir);
  writeFileSync(join(dir, 'later'), '');

  assert.deepEqual(await relabelled(dir), { outcome: 'right', changed: 0 });
  assert.equal(labelOf(join(dir, 'later')), undefined);

  libc.lsetxattr(dir, attribute, Buffer.from('other'), 0); // as a walk leaves it that did not reach its end: the top goes last
  assert.deepEqual(await relabelled(dir), { outcome: 'labelled', changed: 2 });
  for (const path of [...inside, join(dir, 'later')]) assert.equal(labelOf(path), label, path);
});

test('names that are no UTF-8 are labelled too', async (t) => {
  const dir = join(folder(t), 'v');
  mkdirSync(dir);
  execFileSync('sh', ['-c', 'touch "$(printf "$0/\\377\\376")"', dir]);

  assert.deepEqual(await relabelled(dir), { outcome: 'labelled', changed: 2 });
});

test('a volume that is a single file, or reached by a symlink, is labelled', async (t) => {
  const { dir } = volume(t);
  symlinkSync(join(dir, 'file'), `${dir}-alias`);

  assert.deepEqual(await relabelled(`${dir}-alias`), { outcome: 'labelled', changed: 1 });
  assert.equal(labelOf(join(dir, 'file')), label);
  assert.equal(labelOf(`${dir}-alias`), undefined);
});

test('another file system below the volume is left alone', async (t) => {
  const mounted: string[] = [];
  // Before the volume's own hook, which removes it: an interrupted test comes to its hooks, and not to its end.
  t.after(() => mounted.forEach((mountpoint) => libc.umount2(mountpoint, MNT_DETACH)));
  const { dir } = volume(t);
  const mountpoint = join(dir, 'a/b');
  libc.mount('gantry-test', mountpoint, 'tmpfs', 0, 'size=64k');
  mounted.push(mountpoint);

  await relabelled(dir);

  assert.equal(labelOf(mountpoint), undefined);
  assert.equal(labelOf(join(dir, 'a')), label);
});

test('a file system that keeps no labels is told, not an error', async (t) => {
  // As one without extended attributes answers, so does every one for a name space that the kernel does not have.
  assert.deepEqual(await relabelled(folder(t), { attribute: 'nothing.knows-this' }), { outcome: 'unsupported', changed: 0 });
});

test("what belongs to the node is refused, also by a symlink to it, and so are gantry's own folders and what holds them", async (t) => {
  const dir = folder(t);
  const alias = join(dir, 'alias');
  symlinkSync('/usr/lib', alias);
  const own = [join(dir, 'state/gantry')];
  mkdirSync(join(dir, 'state/gantry/pods'), { recursive: true });
  const refused = (path: string, real = path) => assert.rejects(relabelled(path, { own }), {
    kind: 'invalid-argument',
    message: `relabel volume ${path}: ${real} belongs to the node: relabelled, its own programs could not use it any more; take a directory of its own, or no relabelling`,
  });

  for (const path of ['/', '/usr', '/usr/share', '/etc', '/home', '/root', '/tmp', '/var/lib', '/dev/shm', '/proc/1']) await refused(path);
  await refused(alias, '/usr/lib');
  await refused(join(dir, 'state'));
  await refused(join(dir, 'state/gantry/pods'));
});

test('a volume that is not there is failed-precondition; a deadline and a stopped pod end the wait', async (t) => {
  const dir = folder(t);
  const request = { path: dir, label, attribute, own: [] };
  const stopped = AbortSignal.abort();

  await assert.rejects(relabelled(join(dir, 'absent')), { kind: 'failed-precondition', message: /absent: ENOENT/ });
  await assert.rejects(relabel(request, { deadlineMs: 0, signal }), { kind: 'deadline-exceeded', message: /not finished after 0 s; what was done stays/ });
  await assert.rejects(relabel(request, { deadlineMs: 20_000, signal: stopped }), { kind: 'cancelled' });
});

test('a tree that is too deep is refused before it costs every open file', async (t) => {
  const dir = folder(t);
  execFileSync('sh', ['-c', 'cd "$0"; i=0; while [ $i -lt 510 ]; do mkdir d; cd d; i=$((i+1)); done', dir]);

  await assert.rejects(relabelled(dir), { kind: 'failed-precondition', message: /more than 500 directories deep/ });
});
