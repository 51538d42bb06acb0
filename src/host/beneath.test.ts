import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { isKind } from '../base/errors.ts';
import { findBeneath, mkdirBeneath, openBeneath, openFileBeneath, readFileBeneath } from './beneath.ts';

let scratch = '';
let root = '';
let outside = '';

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'gantry-beneath-'));
});
after(() => rm(scratch, { recursive: true, force: true }));
beforeEach(async () => {
  await rm(join(scratch, 'case'), { recursive: true, force: true });
  root = join(scratch, 'case/root');
  outside = join(scratch, 'case/outside');
  mkdirSync(join(root, 'etc'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'of the host');
});

test('a file is read as the container would see it', () => {
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
  symlinkSync('/etc/passwd', join(root, 'absolute-link'));
  symlinkSync('../../../../etc/passwd', join(root, 'etc/climbing-link'));

  for (const path of ['/etc/passwd', 'etc/passwd', '/../etc/passwd', 'absolute-link', '/etc/climbing-link']) {
    assert.equal(readFileBeneath(root, path, 1000)?.toString(), 'root:x:0:0::/root:/bin/sh\n', path);
  }
});

test('no link leads to a file outside the root', () => {
  symlinkSync(join(outside, 'secret'), join(root, 'absolute'));
  symlinkSync('../../outside/secret', join(root, 'etc/relative'));
  symlinkSync(outside, join(root, 'directory'));

  for (const path of ['absolute', 'etc/relative', 'directory/secret', '../outside/secret']) {
    assert.equal(readFileBeneath(root, path, 1000), undefined, path);
  }
});

test('a magic link of /proc is refused', () => {
  assert.throws(() => openBeneath('/', `/proc/self/fd/1`, constants.O_RDONLY), { code: 'ELOOP' });
});

test('an absent file, or one below something that is no directory, is undefined', () => {
  writeFileSync(join(root, 'file'), '');

  assert.equal(readFileBeneath(root, '/etc/group', 10), undefined);
  assert.equal(readFileBeneath(root, '/file/below', 10), undefined);
  assert.equal(openFileBeneath(root, '/etc/group'), undefined);
});

test('what a path leads to is found with its place on the host, inside the root whatever the links say', () => {
  mkdirSync(join(root, 'deep/er'), { recursive: true });
  symlinkSync('/deep/er', join(root, 'alias'));
  symlinkSync(outside, join(root, 'directory'));
  symlinkSync('circle', join(root, 'circle'));

  assert.equal(findBeneath(root, 'alias')?.path, join(root, 'deep/er'));
  assert.equal(findBeneath(root, '')?.path, root);
  assert.equal(findBeneath(root, '../../../deep')?.path, join(root, 'deep'));
  assert.equal(findBeneath(root, 'alias')?.stats.isDirectory(), true);
  assert.equal(findBeneath(root, 'directory/secret'), undefined);
  assert.throws(() => findBeneath(root, 'circle'), { code: 'ELOOP' });
});

test('a file larger than allowed is refused, one of exactly that size is read', () => {
  writeFileSync(join(root, 'big'), 'x'.repeat(11));

  assert.equal(readFileBeneath(root, 'big', 11)?.length, 11);
  assert.throws(() => readFileBeneath(root, 'big', 10), { kind: 'failed-precondition', message: 'read big: it is larger than 10 bytes' });
});

test('a FIFO is refused at once instead of waiting for a writer', () => {
  execFileSync('mkfifo', [join(root, 'etc/passwd')]);

  assert.throws(() => readFileBeneath(root, '/etc/passwd', 10), { kind: 'failed-precondition', message: 'read /etc/passwd: it is not a regular file' });
});

test('a path with a NUL byte is refused', () => {
  for (const attempt of [() => openBeneath(root, 'etc\0/x', constants.O_RDONLY), () => mkdirBeneath(root, 'a\0b', { mode: 0o755 })]) {
    assert.throws(attempt, (error) => isKind(error, 'invalid-argument'));
  }
});

test('directories are made with their parents, and again changes nothing', () => {
  mkdirBeneath(root, '/srv/app/data/', { mode: 0o750 });
  mkdirBeneath(root, 'srv/./app', { mode: 0o700 });
  mkdirBeneath(root, '/', { mode: 0o700 });

  assert.equal(statSync(join(root, 'srv/app')).mode & 0o777, 0o750);
  assert.ok(existsSync(join(root, 'srv/app/data')));
});

test('directories behind a link are made inside the root (CVE-2024-5154)', () => {
  mkdirSync(join(root, 'real'));
  symlinkSync('/real', join(root, 'good'));
  symlinkSync(outside, join(root, 'evil'));

  mkdirBeneath(root, '/good/below', { mode: 0o755 });

  assert.ok(existsSync(join(root, 'real/below')));
  assert.throws(() => mkdirBeneath(root, '/evil/below', { mode: 0o755 }), { code: 'ENOENT' });
  assert.deepEqual(readdirSync(outside), ['secret']);
});

test('a directory is not made over a file, nor above the root', () => {
  writeFileSync(join(root, 'file'), '');

  assert.throws(() => mkdirBeneath(root, '/file/below', { mode: 0o755 }), { code: 'ENOTDIR' });
  assert.throws(() => mkdirBeneath(root, '/a/../../b', { mode: 0o755 }), { kind: 'invalid-argument', message: 'make directory /a/../../b: it has an element ..' });
});

test('descriptors are closed again, whatever the outcome', () => {
  writeFileSync(join(root, 'file'), '');
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();

  for (let i = 0; i < 20; i++) {
    readFileBeneath(root, 'file', 10);
    readFileBeneath(root, 'absent', 10);
    mkdirBeneath(root, `/made/${i}`, { mode: 0o755 });
    assert.throws(() => mkdirBeneath(root, '/file/below', { mode: 0o755 }));
    closeSync(openBeneath(root, 'file', constants.O_RDONLY));
  }

  assert.equal(open(), before);
});
