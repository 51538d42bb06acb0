import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { detectCompression, inflate } from './inflate.ts';
import { ZstdFrameCutter } from './zstd-frames.ts';

async function* inSteps(bytes: Buffer, step: number): AsyncGenerator<Buffer> {
  // One buffer for all, overwritten each time: as the real sender reuses its own.
  const reused = Buffer.alloc(step);
  for (let at = 0; at < bytes.length; at += step) yield reused.subarray(0, bytes.copy(reused, 0, at, at + step));
}

async function inflated(bytes: Buffer, step = bytes.length): Promise<Buffer> {
  const parts: Buffer[] = [];
  await inflate(inSteps(bytes, step), (part) => void parts.push(Buffer.from(part)));
  return Buffer.concat(parts);
}

const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(700_000, 'text '), randomBytes(10)]);
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
const blocks = Array.from({ length: 8 }, (_, i) => content.subarray((content.length * i) / 8, (content.length * (i + 1)) / 8));

const forms: Record<string, Buffer> = {
  'plain bytes': content,
  gzip: gzipSync(content),
  'gzip of several members': Buffer.concat([gzipSync(content.subarray(0, 1000)), gzipSync(content.subarray(1000))]),
  zstd: zstdCompressSync(content),
  'zstd of several frames': Buffer.concat(blocks.map((block) => zstdCompressSync(block))),
  'zstd with skippable frames': Buffer.concat([skippable, ...blocks.flatMap((block) => [zstdCompressSync(block), skippable])]),
};

for (const [form, bytes] of Object.entries(forms)) {
  test(`${form} inflates to what it was`, async () => {
    for (const step of [bytes.length, 65_536, 4_099]) assert.ok((await inflated(bytes, step)).equals(content), `in steps of ${step}`);
  });
}

test('the bytes tell the compression', () => {
  assert.equal(detectCompression(gzipSync('')), 'gzip');
  assert.equal(detectCompression(zstdCompressSync('')), 'zstd');
  assert.equal(detectCompression(skippable), 'zstd');
  assert.equal(detectCompression(Buffer.from('etc/')), 'none');
  assert.equal(detectCompression(Buffer.from([0x28])), 'none');
});

test('damaged data is refused', async () => {
  const gzip = gzipSync(content);
  const zstd = zstdCompressSync(content);
  const flipped = Buffer.from(gzip);
  flipped.fill(0xff, 1000, 1100);

  await assert.rejects(inflated(gzip.subarray(0, gzip.length - 20)), /the gzip data is damaged: unexpected end of file/);
  await assert.rejects(inflated(flipped), /the gzip data is damaged/);
  await assert.rejects(inflated(zstd.subarray(0, zstd.length - 20)), /the zstd data is damaged/);
  await assert.rejects(inflated(Buffer.concat([zstd, Buffer.from('junk!')])), /no frame begins where one should/);
});

test('an error of the consumer comes out as it is', async () => {
  const wrong = new Error('consumer');
  const throwIt = (): void => {
    throw wrong;
  };

  for (const bytes of Object.values(forms)) await assert.rejects(inflate(inSteps(bytes, 4_096), throwIt), (error) => error === wrong);
});

test('no piece of zstd data goes beyond a frame, however the bytes arrive', () => {
  const frames = [zstdCompressSync(blocks[0] ?? ''), skippable, zstdCompressSync(''), zstdCompressSync(Buffer.alloc(500_000))];
  const ends = new Set(frames.map((_, i) => frames.slice(0, i + 1).reduce((sum, frame) => sum + frame.length, 0)));
  const all = Buffer.concat(frames);

  for (const step of [1, 5, 1000, all.length]) {
    const cutter = new ZstdFrameCutter();
    const cuts = new Set<number>();
    let at = 0;
    for (let from = 0; from < all.length; from += step) {
      for (const piece of cutter.cut(all.subarray(from, from + step))) cuts.add((at += piece.length));
    }
    assert.equal(at, all.length);
    assert.deepEqual([...ends].filter((end) => !cuts.has(end)), [], `in steps of ${step}`);
  }
});

test('buffers that were consumed are freed at once, whatever the sizes in which they were filled', async () => {
  const large = Buffer.concat([content, content, content]);
  const buffers = new Set<ArrayBufferLike>();
  const hash = createHash('sha256');

  await inflate(inSteps(gzipSync(large), 100_000), (bytes) => {
    buffers.add(bytes.buffer);
    hash.update(bytes);
  });

  assert.equal(hash.digest('hex'), createHash('sha256').update(large).digest('hex'));
  assert.ok(buffers.size > 10);
  assert.equal([...buffers].filter(({ byteLength }) => byteLength > 0).length, 1, 'only the last one is left');
});
