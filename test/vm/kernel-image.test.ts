import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { kernelOf } from './kernel-image.ts';

const kernel = Buffer.from(`\x7fELF${'the kernel proper '.repeat(1000)}`, 'latin1');
const size = Buffer.alloc(4);
size.writeUInt32LE(kernel.length);

/** A file as the x86 boot protocol describes it: one boot sector, four of setup code, then code with the payload in it. */
function bzImage(payload: Buffer): Buffer {
  const setup = Buffer.alloc(5 * 512);
  setup[0x1f1] = 4;
  setup.writeUInt32LE(100, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, Buffer.alloc(100, 0x90), payload, Buffer.alloc(300)]);
}

test('a kernel comes out as it was packed, with gzip or zstd, the size at the end of the payload ignored', () => {
  for (const pack of [gzipSync, zstdCompressSync]) {
    assert.deepEqual(kernelOf(bzImage(Buffer.concat([pack(kernel), size]))), kernel);
  }
});

test('a kernel comes out as it was packed with xz', (t) => {
  const { stdout, status } = spawnSync('xz', ['-c', '--check=crc32'], { input: kernel });
  if (status !== 0) return t.skip('xz is not installed');

  assert.deepEqual(kernelOf(bzImage(Buffer.concat([stdout, size]))), kernel);
});

test('a file that is packed otherwise, or holds no kernel, is said to', () => {
  assert.throws(() => kernelOf(bzImage(Buffer.from('LZMA????'))), /packed in an unknown way \(it begins with 4c5a4d41\)/);
  assert.throws(() => kernelOf(bzImage(Buffer.concat([gzipSync('no kernel'), size]))), /not an ELF file/);
});
