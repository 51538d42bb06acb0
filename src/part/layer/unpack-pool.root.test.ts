import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, lstatSync, mkdirSync, mkdtempSync, openSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf, tarOf } from '../../../test/support/image.ts';
import type { TestEntry } from '../../../test/support/image.ts';
import { parseDigest } from '../../base/digest.ts';
import { libc } from '../../host/libc.ts';
import { defaultUnpackLimits } from './unpack-limits.ts';
import type { UnpackLimits } from './unpack-limits.ts';
import { UnpackPool } from './unpack-pool.ts';
import type { UnpackResult } from './unpack-protocol.ts';

const isRoot = process.getuid?.() === 0;
const skip = isRoot ? false : 'needs root';
let directory = '';
let outside = '';
let pool: UnpackPool;
let outline: number;
let made = 0;

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-unpack-'));
  outside = join(directory, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'untouched', { mode: 0o600 });
  pool = new UnpackPool();
  outline = openSync(join(directory, 'outline'), 'w');
});

after(async () => {
  await pool.close();
  closeSync(outline);
  rmSync(directory, { recursive: true, force: true });
});

interface Unpacked extends UnpackResult {
  readonly root: string;
}

interface HowToUnpack {
  readonly limits?: Partial<UnpackLimits>;
  readonly blob?: Buffer;
  readonly expected?: { blob?: string; size?: number; diffId?: string };
}

async function unpack(source: readonly TestEntry[] | Buffer, how: HowToUnpack = {}): Promise<Unpacked> {
  const tar = Buffer.isBuffer(source) ? source : tarOf(source);
  const blob = how.blob ?? tar;
  const root = join(directory, `layer${made++}`);
  mkdirSync(root, { mode: 0o700 });
  const expected = { blob: parseDigest(how.expected?.blob ?? digestOf(blob)), size: how.expected?.size ?? blob.length, diffId: parseDigest(how.expected?.diffId ?? digestOf(tar)) };
  const result = await pool.unpack({
    directory: root,
    outline,
    expected,
    limits: { ...defaultUnpackLimits, ...how.limits },
    async *open() {
      for (let at = 0; at < blob.length; at += 60_000) yield blob.subarray(at, at + 60_000);
    },
    signal: new AbortController().signal,
  });
  return { ...result, root };
}

async function refuses(source: readonly TestEntry[] | Buffer, why: RegExp, how: HowToUnpack & { kind?: string } = {}): Promise<void> {
  await assert.rejects(unpack(source, how), (error: Error & { kind?: string }) => {
    assert.match(error.message, why);
    assert.equal(error.kind, how.kind ?? 'failed-precondition', error.message);
    return true;
  });
  assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'untouched');
  assert.equal(statSync(join(outside, 'secret')).mode & 0o7777, 0o600);
}

/** Type, mode, owner, size, time, link target and link count of everything below a directory, as GNU find says. */
function listing(root: string): string {
  const text = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%p %y %m %U:%G %T@ %l %n ', '(', '-type', 'f', '-printf', '%s', '-o', '-true', ')', '-printf', '\\n'], { cwd: root, encoding: 'latin1' });
  return text.split('\n').sort().join('\n');
}

test('a tree unpacks as GNU tar unpacks it', { skip }, async () => {
  const source = join(directory, 'source');
  mkdirSync(join(source, 'dir/sub'), { recursive: true });
  writeFileSync(join(source, 'dir/file'), 'content');
  writeFileSync(join(source, 'big'), Buffer.alloc(700_001, 'big'));
  writeFileSync(join(source, 'suid'), 'x');
  writeFileSync(join(source, `dir/${'n'.repeat(200)}`), 'long');
  writeFileSync(Buffer.from(`${source}/latin-\xe9`, 'latin1'), 'not UTF-8');
  const script = `
    cd ${source}
    ln dir/file dir/hard; ln -s ../big dir/sym; ln -s /etc/passwd abs; ln -s ${'t'.repeat(180)} longlink; mkfifo fifo; mknod null c 1 3; mknod disk b 259 300
    chown 1000:8 suid dir/sub; chmod 4755 suid; chmod 2775 dir/sub; chmod 1777 dir; touch -h -d '2001-02-03 04:05:06.123456789' dir/sym big; touch -d '1969-01-01' suid; touch -d '2001-02-03' latin-*
    setfattr -n user.color -v blue big 2>/dev/null || true
    setcap cap_net_raw+ep dir/file 2>/dev/null || true`;
  execFileSync('sh', ['-c', script]);

  for (const format of ['gnu', 'pax', 'posix']) {
    const archive = join(directory, `${format}.tar`);
    execFileSync('tar', ['--format', format, '--xattrs', '--xattrs-include=*', '-C', source, '-cf', archive, '.']);
    const byTar = join(directory, `by-tar-${format}`);
    mkdirSync(byTar);
    execFileSync('tar', ['-p', '--numeric-owner', '--xattrs', '--xattrs-include=*', '-C', byTar, '-xf', archive], { stdio: 'ignore' });

    const { root, inodes } = await unpack(readFileSync(archive));

    assert.equal(listing(root), listing(byTar), format);
    assert.deepEqual(libc.lgetxattr(join(root, 'dir/file'), 'security.capability'), libc.lgetxattr(join(byTar, 'dir/file'), 'security.capability'));
    assert.deepEqual(libc.lgetxattr(join(root, 'big'), 'user.color'), libc.lgetxattr(join(byTar, 'big'), 'user.color'));
    execFileSync('diff', ['-r', '--no-dereference', join(root, 'dir'), join(byTar, 'dir')]);
    assert.equal(inodes, Number(execFileSync('du', ['-s', '--inodes', root], { encoding: 'utf8' }).split('\t')[0]));
  }
});

test('usage is counted as the disk counts it', { skip }, async () => {
  const files = Array.from({ length: 30 }, (_, i): TestEntry => ({ path: `d${i % 5}/f${i}`, content: 'x'.repeat(i * 1000) }));

  const { root, bytes, inodes } = await unpack([...files, { path: 'd0/f0', content: 'again, longer'.repeat(1000) }, { path: 'hard', type: 'hardlink', link: 'd1/f1' }]);

  assert.equal(inodes, 1 + 5 + 30);
  // Directories of an ext4 take a block; a tmpfs gives them none.
  const directories = 6 * 4096;
  const files4k = Number(execFileSync('sh', ['-c', `find ${root} -type f -printf '%s\\n' | awk '{ s += int(($1 + 4095) / 4096) * 4096 } END { print s }'`], { encoding: 'utf8' }));
  assert.equal(bytes, directories + files4k - 4096 /* one file is there under two names */);
});

test('gzip and zstd layers give the same tree', { skip }, async () => {
  const tar = tarOf([{ path: 'etc/motd', content: 'hello '.repeat(100_000) }]);

  for (const blob of [gzipSync(tar), zstdCompressSync(tar), tar]) {
    const { root } = await unpack(tar, { blob });
    assert.equal(readFileSync(join(root, 'etc/motd'), 'utf8').length, 600_000);
  }
});

test('whiteouts become what overlayfs understands', { skip }, async () => {
  const { root } = await unpack([
    { path: 'a/.wh.gone' },
    { path: 'b/.wh..wh..opq' },
    { path: 'b/new', content: 'x' },
    // A deletion is about lower layers: the file of this layer stays, in either order.
    { path: 'c', content: 'kept' },
    { path: '.wh.c' },
    { path: '.wh.d' },
    { path: 'd', content: 'kept' },
    // A directory that replaces one of a lower layer starts empty.
    { path: 'e', type: 'directory' },
    { path: '.wh.e' },
    { path: '.wh.f' },
    { path: 'f/inside', content: 'x' },
    { path: '.wh..wh.plnk', type: 'directory' },
  ]);
  const opaque = (name: string): string | undefined => libc.lgetxattr(join(root, name), 'trusted.overlay.opaque')?.toString();

  const gone = lstatSync(join(root, 'a/gone'));
  assert.ok(gone.isCharacterDevice() && gone.rdev === 0);
  assert.deepEqual(['a', 'b', 'e', 'f'].map(opaque), [undefined, 'y', 'y', 'y']);
  assert.equal(readFileSync(join(root, 'c'), 'utf8') + readFileSync(join(root, 'd'), 'utf8'), 'keptkept');
  assert.ok(existsSync(join(root, 'f/inside')));
  assert.ok(!existsSync(join(root, '.wh..wh.plnk')));
  await refuses([{ path: 'a/.wh...' }], /whiteout that names no file/);
  await refuses([{ path: '.wh.' }], /whiteout that names no file/);
});

test('nothing that a tar says leads out of its layer', { skip }, async () => {
  const climbing = '../'.repeat(20);
  const viaLink = await unpack([
    { path: 'out', type: 'symlink', link: outside },
    { path: outside.slice(1), type: 'directory' },
    { path: 'out/secret', content: 'overwritten', mode: 0o777 },
  ]);
  assert.equal(readFileSync(join(viaLink.root, outside, 'secret'), 'utf8'), 'overwritten');
  assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'untouched');

  const absolute = await unpack([{ path: join(outside, 'secret'), content: 'mine' }]);
  assert.equal(readFileSync(join(absolute.root, outside, 'secret'), 'utf8'), 'mine');

  await refuses([{ path: `${climbing}${outside.slice(1)}/secret`, content: 'x' }], /'\.\.' is refused/);
  await refuses([{ path: 'up', type: 'symlink', link: `${climbing}${outside.slice(1)}` }, { path: 'up/secret', content: 'x' }], /leads nowhere in this layer/);
  await refuses([{ path: 'up', type: 'symlink', link: outside }, { path: 'up/secret', content: 'x' }], /leads nowhere in this layer/);
  await refuses([{ path: 'hard', type: 'hardlink', link: join(outside, 'secret') }], /hard link to .* not in this layer/);
  await refuses([{ path: 'hard', type: 'hardlink', link: `${climbing}etc/passwd` }], /'\.\.' is refused/);
});

test('a mode or owner is never set through a symlink (CVE-2021-32760)', { skip }, async () => {
  const { root } = await unpack([
    { path: 'target', content: 'x', mode: 0o600 },
    { path: 'link', type: 'symlink', link: 'target', mode: 0o777, uid: 7 },
    { path: 'dir', type: 'directory', mode: 0o700 },
    { path: 'dirlink', type: 'symlink', link: '/dir' },
    { path: 'dirlink', type: 'directory', mode: 0o777, uid: 7 },
  ]);

  assert.deepEqual([statSync(join(root, 'target')).mode & 0o777, statSync(join(root, 'target')).uid, lstatSync(join(root, 'link')).uid], [0o600, 0, 7]);
  assert.equal(statSync(join(root, 'dir')).mode & 0o777, 0o700);
  assert.ok(lstatSync(join(root, 'dirlink')).isDirectory());
});

test('a name given twice means the later entry, and never writes through the earlier', { skip }, async () => {
  const { root, inodes } = await unpack([
    { path: 'file', content: 'first' },
    { path: 'hard', type: 'hardlink', link: 'file' },
    { path: 'hard', content: 'second' },
    { path: 'link', type: 'symlink', link: 'file' },
    { path: 'link', content: 'third' },
    { path: 'tree/deep/leaf', content: 'x' },
    { path: 'tree', type: 'symlink', link: 'file' },
    { path: 'self', content: 'x' },
    { path: 'self', type: 'hardlink', link: './self' },
  ]);

  assert.deepEqual(['file', 'hard', 'link'].map((name) => readFileSync(join(root, name), 'utf8')), ['first', 'second', 'third']);
  assert.equal(readlinkSync(join(root, 'tree')), 'file');
  assert.equal(inodes, Number(execFileSync('du', ['-s', '--inodes', root], { encoding: 'utf8' }).split('\t')[0]));
});

test('impossible trees are refused by entry', { skip }, async () => {
  await refuses([{ path: 'a', content: 'x' }, { path: 'a/b', content: 'y' }], /unpack entry "a\/b": "a" is not a directory/);
  await refuses([{ path: 'loop', type: 'symlink', link: 'loop' }, { path: 'loop/x' }], /unpack entry "loop\/x": ELOOP/);
  await refuses([{ path: '.', content: 'x' }], /root of a layer must be a directory/);
  await refuses([{ path: `${'n'.repeat(300)}` }], /unpack entry "n+": ENAMETOOLONG/);
  await refuses(Buffer.from('this is no tar archive at all'.repeat(100)), /header checksum is wrong/);
});

test('attributes of the host are not taken from an image', { skip }, async () => {
  const { root } = await unpack([
    { path: 'd', type: 'directory', xattrs: { 'trusted.overlay.redirect': Buffer.from('/etc'), 'user.overlay.opaque': Buffer.from('y'), 'security.selinux': Buffer.from('x'), 'user.kept': Buffer.from('v') } },
  ]);

  const names = ['trusted.overlay.redirect', 'user.overlay.opaque', 'security.selinux', 'user.kept'];
  assert.deepEqual(names.map((name) => libc.lgetxattr(join(root, 'd'), name)?.toString()), [undefined, undefined, undefined, 'v']);
});

test('directories that the tar leaves out are passable, and so is the root', { skip }, async () => {
  const { root } = await unpack([{ path: 'a/b/c', content: 'x' }]);

  assert.deepEqual(['', 'a', 'a/b'].map((name) => statSync(join(root, name)).mode & 0o7777), [0o755, 0o755, 0o755]);
});

test('limits hold: entries, bytes and the ratio of a decompression bomb', { skip }, async () => {
  const bomb = tarOf([{ path: 'zeros', content: Buffer.alloc(8 << 20) }]);

  await refuses(Array.from({ length: 20 }, (_, i): TestEntry => ({ path: `f${i}` })), /more than 10 entries/, { limits: { maxEntries: 10 }, kind: 'resource-exhausted' });
  await refuses(bomb, /unpacks to more than 1048576 bytes/, { limits: { maxBytes: 1 << 20 }, kind: 'resource-exhausted' });
  await refuses(bomb, /inflates more than 200 times/, { blob: gzipSync(bomb), limits: { ratioFreeBytes: 1 << 20 }, kind: 'resource-exhausted' });
  await refuses(bomb, /inflates more than 200 times/, { blob: zstdCompressSync(bomb), limits: { ratioFreeBytes: 1 << 20 }, kind: 'resource-exhausted' });
});

test('content that is not what was promised is refused', { skip }, async () => {
  const entries: TestEntry[] = [{ path: 'a', content: 'x' }];
  const other = `sha256:${'0'.repeat(64)}`;

  await refuses(entries, /verify blob sha256:0+: what the registry sent has the digest/, { expected: { blob: other }, kind: 'unavailable' });
  await refuses(entries, /manifest says 5 bytes, the registry sent/, { expected: { size: 5 }, kind: 'unavailable' });
  await refuses(entries, /verify layer sha256:0+: the unpacked layer has the diff id/, { expected: { diffId: other } });
});

test('an interrupted download ends the worker before it throws, and the pool goes on', { skip }, async () => {
  const root = join(directory, `layer${made++}`);
  mkdirSync(root);
  const stop = new AbortController();
  const tar = tarOf([{ path: 'a', content: Buffer.alloc(1 << 20) }]);
  const expected = { blob: parseDigest(digestOf(tar)), size: tar.length, diffId: parseDigest(digestOf(tar)) };
  const interrupted = pool.unpack({
    directory: root, outline, expected, limits: defaultUnpackLimits, signal: stop.signal,
    async *open(signal) {
      yield tar.subarray(0, 600_000);
      stop.abort();
      await sleep(10_000, undefined, { signal });
    },
  });

  await assert.rejects(interrupted);
  rmSync(root, { recursive: true });
  await sleep(50);

  assert.ok(!existsSync(root));
  assert.ok(existsSync(join((await unpack(tar)).root, 'a')));
});

test('workers are few, and gone when there is nothing to do', { skip }, async (t) => {
  const small = new UnpackPool({ maxWorkers: 2, idleMs: 30, lastIdleMs: 200 });
  t.after(() => small.close());
  const tar = tarOf([{ path: 'a', content: 'x' }]);
  const expected = { blob: parseDigest(digestOf(tar)), size: tar.length, diffId: parseDigest(digestOf(tar)) };
  let most = 0;

  await Promise.all(Array.from({ length: 6 }, async () => {
    const root = join(directory, `layer${made++}`);
    mkdirSync(root);
    await small.unpack({
      directory: root, outline, expected, limits: defaultUnpackLimits, signal: new AbortController().signal,
      async *open() {
        most = Math.max(most, small.size);
        yield tar;
      },
    });
    assert.ok(existsSync(join(root, 'a')));
  }));
  assert.ok(most <= 2, `${most} workers`);
  for (let i = 0; i < 100 && small.size > 1; i++) await sleep(5);
  assert.equal(small.size, 1, 'one stays a while longer');
  for (let i = 0; i < 100 && small.size > 0; i++) await sleep(20);

  assert.equal(small.size, 0);
});

test('a worker that was started ahead takes the first layer, and there is one whoever asks how often', { skip }, async (t) => {
  const small = new UnpackPool();
  t.after(() => small.close());
  const root = join(directory, 'ahead');
  mkdirSync(root);
  const tar = tarOf([{ path: 'a' }]);

  await small.warm();
  await small.warm();
  const ahead = small.size;
  await small.unpack({
    directory: root, outline, limits: defaultUnpackLimits, signal: new AbortController().signal,
    expected: { blob: parseDigest(digestOf(tar)), size: tar.length, diffId: parseDigest(digestOf(tar)) },
    async *open() {
      yield tar;
    },
  });

  assert.deepEqual([ahead, small.size], [1, 1]);
});
