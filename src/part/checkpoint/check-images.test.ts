import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { checkImageFolder, checkImages, renameHost } from './check-images.ts';
import type { Allowance } from './check-images.ts';
import { messageOf, recordsOf, textIn } from './criu-image.ts';

const [coreMagic, mountsMagic, utsMagic] = [0x55053847, 0x55563928, 0x54473203];
const bad = (why: string): object => ({ kind: 'failed-precondition', message: `read checkpoint: ${why}` });

/** A protobuf message of numbers, texts and messages. */
function message(fields: Readonly<Record<number, number | string | Buffer>>): Buffer {
  return Buffer.concat(Object.entries(fields).map(([field, value]) => {
    if (typeof value === 'number') return Buffer.concat([varint(Number(field) << 3), varint(value)]);
    const bytes = Buffer.from(value as string);
    return Buffer.concat([varint((Number(field) << 3) | 2), varint(bytes.length), bytes]);
  }));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}

function image(magic: number, records: readonly Buffer[]): Buffer {
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  return Buffer.concat([word(0x54564319), word(magic), ...records.flatMap((record) => [word(record.length), record])]);
}

/** A process with these capabilities (the effective ones), no_new_privs and mode of seccomp. */
function core({ capabilities = 0, noNewPrivileges = 0, seccomp = 2 }): Buffer {
  return image(coreMagic, [message({ 1: 1, 5: message({ 10: message({ 1: 0, 11: capabilities, 18: noNewPrivileges }), 11: seccomp }) })]);
}

function folderOf(t: TestContext, files: Readonly<Record<string, Buffer>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-images-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, bytes] of Object.entries({ 'inventory.img': Buffer.alloc(0), ...files })) writeFileSync(join(folder, name), bytes);
  return folder;
}

const allowed: Allowance = { capabilities: ['CAP_CHOWN', 'CAP_KILL'], noNewPrivileges: false, seccomp: true, bindMounts: new Map([['/data', { readonly: false }], ['/etc/hosts', { readonly: true }]]), maskedPaths: ['/proc/kcore'] };

test('a process may have what the request gives it, and no capability more', async (t) => {
  await checkImages(folderOf(t, { 'core-1.img': core({ capabilities: 0b100001 }) }), allowed);

  await assert.rejects(checkImages(folderOf(t, { 'core-7.img': core({ capabilities: 1 << 21 }) }), allowed), bad('a process in it (core-7.img) has CAP_SYS_ADMIN, which the container is not to have'));
});

test('a process that escapes no_new_privs or seccomp is refused', async (t) => {
  await assert.rejects(checkImages(folderOf(t, { 'core-1.img': core({}) }), { ...allowed, noNewPrivileges: true }), bad('a process in it (core-1.img) can gain privileges, and the container is to have no_new_privs'));
  await checkImages(folderOf(t, { 'core-1.img': core({ noNewPrivileges: 1 }) }), { ...allowed, noNewPrivileges: true });
  await assert.rejects(checkImages(folderOf(t, { 'core-1.img': core({ seccomp: 0 }) }), allowed), bad('a process in it (core-1.img) runs without a seccomp filter, and the container is to have one'));
  await checkImages(folderOf(t, { 'core-1.img': core({ seccomp: 0 }) }), { ...allowed, seccomp: false });
});

test('mounts are those of the request, and as read-only as there', async (t) => {
  const mounts = (...entries: Readonly<Record<number, number | string>>[]): string => folderOf(t, { 'mountpoints-13.img': image(mountsMagic, entries.map(message)) });
  const [overlay, ext4, proc, tmpfs, readonly] = [17, 16, 1, 5, 1];

  await checkImages(mounts(
    { 1: overlay, 7: './' }, { 1: proc, 7: './proc' }, { 1: tmpfs, 7: './dev' }, { 1: ext4, 7: './data', 18: '/data' }, { 1: ext4, 5: readonly, 7: './etc/hosts', 18: '/etc/hosts' },
    { 1: tmpfs, 7: './proc/kcore', 18: '/proc/kcore' }, { 1: 12, 7: './sys/fs/cgroup/cpu', 18: '/sys/fs/cgroup/cpu' },
  ), allowed);

  const ofNode = (path: string): object => bad(`something of a node is mounted on ${path} in it, and the request mounts nothing there`);
  await assert.rejects(checkImages(mounts({ 1: ext4, 7: './host' }), allowed), ofNode('/host'));
  await assert.rejects(checkImages(mounts({ 1: tmpfs, 7: './host', 18: '/data' }), allowed), ofNode('/host'));
  await assert.rejects(checkImages(mounts({ 1: tmpfs, 7: './host', 13: 1 }), allowed), ofNode('/host'));
  await assert.rejects(checkImages(mounts({ 1: ext4, 7: './etc/hosts', 18: '/etc/hosts' }), allowed), bad('/etc/hosts can be written in it, and the request mounts it read-only'));
  await assert.rejects(checkImages(mounts({ 1: overlay, 7: './' }, { 1: ext4, 7: '/' }), allowed), bad('something is mounted over its root'));
});

test('what is no image of CRIU, or a broken one, is refused', async (t) => {
  await assert.rejects(checkImages(folderOf(t, { 'core-1.img': Buffer.from('not an image') }), allowed), bad('core-1.img is no such image of CRIU'));
  await assert.rejects(checkImages(folderOf(t, { 'core-1.img': image(mountsMagic, []) }), allowed), bad('core-1.img is no such image of CRIU'));
  for (const cut of [1, 3, 9]) await assert.rejects(checkImages(folderOf(t, { 'core-1.img': core({}).subarray(0, -cut) }), allowed), bad('core-1.img is damaged'));
  assert.throws(() => messageOf('x', Buffer.of(0x0a, 0xff)), bad('x is damaged'));
  assert.throws(() => messageOf('x', Buffer.alloc(12, 0xff)), bad('x is damaged'));
  assert.throws(() => messageOf('x', Buffer.of(0x0b)), bad('x is damaged'));
});

test('the folder of images holds plain files, and those of a finished capture', async (t) => {
  const folder = folderOf(t, {});
  await checkImageFolder(folder);

  symlinkSync('/etc/shadow', join(folder, 'pages-1.img'));
  await assert.rejects(checkImageFolder(folder), bad('"pages-1.img" among the images of CRIU is no plain file'));
  rmSync(join(folder, 'pages-1.img'));
  mkdirSync(join(folder, 'sub'));
  await assert.rejects(checkImageFolder(folder), bad('"sub" among the images of CRIU is no plain file'));
  rmSync(join(folder, 'sub'), { recursive: true });
  rmSync(join(folder, 'inventory.img'));
  await assert.rejects(checkImageFolder(folder), bad('inventory.img is missing: the capture was not finished'));
  await assert.rejects(checkImageFolder(join(folder, 'nothing')), bad('it has no images of CRIU'));
  symlinkSync('/', join(folder, 'elsewhere'));
  await assert.rejects(checkImageFolder(join(folder, 'elsewhere')), bad('it has no images of CRIU'));
});

test('the host name in the images becomes that of the new pod', async (t) => {
  const folder = folderOf(t, { 'utsns-12.img': image(utsMagic, [message({ 1: 'old', 2: '(none)' })]) });

  await renameHost(folder, 'new-pod');

  const [names] = recordsOf('utsns-12.img', readFileSync(join(folder, 'utsns-12.img')), utsMagic);
  assert.deepEqual([textIn(names!, 1), textIn(names!, 2)], ['new-pod', '(none)']);
});
