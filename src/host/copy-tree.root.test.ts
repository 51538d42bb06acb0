import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { copyTree } from './copy-tree.ts';
import { libc } from './libc.ts';

const signal = new AbortController().signal;

function folders(t: TestContext): { source: string; target: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-copy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'source'));
  return { source: join(folder, 'source'), target: join(folder, 'target') };
}

test('owners, modes, times and attributes are those of the source, also of the directory itself', async (t) => {
  const { source, target } = folders(t);
  mkdirSync(join(source, 'sub'), { mode: 0o500 });
  writeFileSync(join(source, 'sub/program'), 'text');
  chownSync(join(source, 'sub/program'), 7, 8);
  chmodSync(join(source, 'sub/program'), 0o4755);
  libc.lsetxattr(join(source, 'sub/program'), 'security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex'), 0);
  utimesSync(join(source, 'sub/program'), 1000, 2000);
  chownSync(source, 999, 998);
  chmodSync(source, 0o1770);

  await copyTree(source, target, signal);

  const { mode, uid, gid, mtimeMs } = lstatSync(join(target, 'sub/program'));
  assert.deepEqual([mode & 0o7777, uid, gid, mtimeMs], [0o4755, 7, 8, 2_000_000]);
  assert.equal(readFileSync(join(target, 'sub/program'), 'utf8'), 'text');
  assert.equal(libc.lgetxattr(join(target, 'sub/program'), 'security.capability')?.length, 20);
  assert.equal(lstatSync(join(target, 'sub')).mode & 0o7777, 0o500);
  assert.deepEqual([lstatSync(target).mode & 0o7777, lstatSync(target).uid, lstatSync(target).gid], [0o1770, 999, 998]);
});

test('symlinks stay symlinks, wherever they point; devices and FIFOs are made anew; sockets are left out', async (t) => {
  const { source, target } = folders(t);
  symlinkSync('/etc/passwd', join(source, 'out'));
  lchownSync(join(source, 'out'), 5, 6);
  libc.mknod(join(source, 'null'), 0o020640, 0x103n);
  libc.mknod(join(source, 'fifo'), 0o010600, 0n);
  const server = createServer().listen(join(source, 'socket'));
  t.after(() => server.close());
  await once(server, 'listening');

  await copyTree(source, target, signal);

  assert.equal(readlinkSync(join(target, 'out')), '/etc/passwd');
  assert.deepEqual([lstatSync(join(target, 'out')).uid, lstatSync(join(target, 'out')).gid], [5, 6]);
  assert.deepEqual([lstatSync(join(target, 'null')).rdev, lstatSync(join(target, 'null')).mode], [0x103, 0o020640]);
  assert.ok(lstatSync(join(target, 'fifo')).isFIFO());
  assert.equal(existsSync(join(target, 'socket')), false);
});

test('names need not be UTF-8', async (t) => {
  const { source, target } = folders(t);
  const name = Buffer.from([0x61, 0xff]);
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), name]), 'bytes');

  await copyTree(source, target, signal);

  assert.equal(readFileSync(Buffer.concat([Buffer.from(`${target}/`), name]), 'utf8'), 'bytes');
});

test('an aborted signal ends the copying', async (t) => {
  const { source, target } = folders(t);
  writeFileSync(join(source, 'file'), '');

  await assert.rejects(copyTree(source, target, AbortSignal.abort(new Error('stopped'))), { message: 'stopped' });
});
