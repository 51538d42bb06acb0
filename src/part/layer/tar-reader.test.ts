import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tarHeader, tarOf } from '../../../test/support/image.ts';
import type { TestEntry } from '../../../test/support/image.ts';
import type { TarEntry } from './tar-header.ts';
import { TarReader } from './tar-reader.ts';

/** What the reader tells of an archive that arrives in pieces of `step` bytes. */
function read(tar: Buffer, step = tar.length): { entry: TarEntry; content: string }[] {
  const seen: { entry: TarEntry; content: string }[] = [];
  const reader = new TarReader({
    begin: (entry) => void seen.push({ entry, content: '' }),
    data(bytes) {
      const last = seen.at(-1);
      if (last !== undefined) last.content += bytes.toString('latin1');
    },
    end() {},
  });
  for (let at = 0; at < tar.length; at += step) reader.push(tar.subarray(at, at + step));
  reader.finish();
  return seen;
}

function refuses(tar: Buffer, why: RegExp): void {
  assert.throws(() => read(tar), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && why.test(error.message), why.source);
}

const sample: TestEntry[] = [
  { path: 'dir/', type: 'directory', mode: 0o2775, gid: 8 },
  { path: 'dir/file', content: 'x'.repeat(1500), uid: 1000, mtime: 1234567890 },
  { path: `dir/${'long'.repeat(60)}`, content: 'a', pax: { mtime: '12.5', uid: '4000000' } },
  { path: 'empty' },
  { path: 'link', type: 'symlink', link: 'l'.repeat(150) },
  { path: 'dev', type: 'char', major: 1, minor: 3 },
  { path: 'caps', content: 'b', xattrs: { 'security.capability': Buffer.from([1, 0, 0, 2, 10]) } },
];

test('an archive reads the same however its bytes arrive', () => {
  const tar = tarOf(sample);
  const whole = read(tar);

  assert.deepEqual(whole.map(({ entry }) => entry.name), sample.map(({ path }) => path));
  for (const step of [1, 7, 511, 512, 513, 4096]) assert.deepEqual(read(tar, step), whole, `in steps of ${step}`);
});

test('headers and pax records become entries', () => {
  const [directory, file, long, , link, device, caps] = read(tarOf(sample)).map(({ entry }) => entry);

  assert.equal(directory?.mode, 0o2775);
  assert.equal(file?.uid, 1000);
  assert.deepEqual(long?.mtime, { seconds: 12, nanoseconds: 500_000_000 });
  assert.equal(long?.uid, 4_000_000);
  assert.equal(link?.linkName.length, 150);
  assert.deepEqual([device?.type, device?.major, device?.minor], ['char', 1, 3]);
  assert.deepEqual(caps?.xattrs?.get('security.capability'), Buffer.from([1, 0, 0, 2, 10]));
});

test('GNU long names and base-256 numbers are understood', () => {
  const name = 'n'.repeat(300);
  const long = tarHeader({ name: '././@LongLink', flag: 'L', size: 301, mode: 0, mtime: 0 });
  const file = tarHeader({ name: name.slice(0, 100), flag: '0', size: 0, mode: 0o644, mtime: 0 });
  file.fill(0, 108, 116);
  file.writeUInt8(0x80, 108);
  file.writeUInt32BE(3_000_000, 112);
  refreshChecksum(file);

  const [entry] = read(Buffer.concat([long, Buffer.from(name.padEnd(512, '\0')), file, Buffer.alloc(1024)]));

  assert.equal(entry?.entry.name, name);
  assert.equal(entry?.entry.uid, 3_000_000);
});

test('a global pax header counts for all entries after it', () => {
  const global = tarOf([{ path: 'a', pax: { uid: '77' } }]).subarray(0, 1024);
  global.write('g', 156);
  refreshChecksum(global);

  const entries = read(Buffer.concat([global, tarOf([{ path: 'a' }, { path: 'b', pax: { uid: '5' } }])]));

  assert.deepEqual(entries.map(({ entry }) => entry.uid), [77, 5]);
});

test('archives that are damaged or beyond us are refused in plain words', () => {
  refuses(Buffer.alloc(512, 'x'), /header checksum is wrong/);
  refuses(tarOf([{ path: 'a', content: 'x'.repeat(600) }]).subarray(0, 900), /cut short/);
  refuses(tarOf([{ path: 'a' }]).subarray(0, 300), /cut short/);
  refuses(tarHeader({ name: 'odd', flag: 'V', size: 0, mode: 0, mtime: 0 }), /entry type "V" is not supported/);
  refuses(tarOf([{ path: 'a', pax: { uid: '4294967295' } }]), /uid 4294967295 is out of range/);
  refuses(tarOf([{ path: 'a', pax: { uid: '-1' } }]), /pax uid is not a number/);
  refuses(tarOf([{ path: 'a', pax: { size: '99999999999999999' } }]), /pax size is not a number/);
  refuses(tarOf([{ path: 'a', pax: { path: 'b\0c' } }]), /NUL byte/);
  refuses(tarHeader({ name: 'huge', flag: 'x', size: 2 << 20, mode: 0, mtime: 0 }), /larger than the limit/);
  refuses(Buffer.concat([tarHeader({ name: 'p', flag: 'x', size: 8, mode: 0, mtime: 0 }), Buffer.from('99 a=b\n\n'.padEnd(512, '\0'))]), /pax header is malformed/);
});

test('extended headers are held up to a limit, also when they come one after the other', () => {
  const part = (flag: string): Buffer => Buffer.concat([tarHeader({ name: 'p', flag, size: 600 << 10, mode: 0, mtime: 0 }), Buffer.from(`614400 comment=${'x'.repeat(614_400 - 16)}\n`)]);
  const entry = tarOf([{ path: 'a' }]).subarray(0, 512);

  for (const flag of ['x', 'g', 'L']) refuses(Buffer.concat([part(flag), part(flag)]), /extended headers of 1228800 bytes are larger than the limit of 1048576/);
  refuses(Buffer.concat([part('g'), entry, part('g')]), /larger than the limit/);
  assert.equal(read(Buffer.concat([part('x'), entry, part('x'), entry])).length, 2, 'those of one entry are not those of the next');
});

test('an archive without an end marker is read to its end', () => {
  assert.equal(read(tarOf([{ path: 'a' }]).subarray(0, 512)).length, 1);
  assert.equal(read(Buffer.alloc(0)).length, 0);
});

function refreshChecksum(header: Buffer): void {
  header.fill(' ', 148, 156);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}
