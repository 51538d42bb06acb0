import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../base/digest.ts';
import type { LayerRecord } from '../../part/layer/layer-store.ts';
import { imageUsage, layerUsage, placeOfImages } from './disk-usage.ts';
import type { ImageRecord } from './image-records.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;

function layer(letter: string, bytes: number): LayerRecord {
  return { diffId: digest(letter), name: letter, bytes, inodes: 3, blob: digest('f'), blobSize: 1 };
}

/** An image of layers, with a configuration of its own (one block) and further documents. */
function image(letter: string, layers: string, documents: readonly [string, number][] = []): ImageRecord {
  return {
    id: digest(letter), repoTags: [`r.example/${letter}:1`], repoDigests: [], layers: [...layers].map(digest),
    documents: [{ digest: digest(letter), size: 100 }, ...documents.map(([name, size]) => ({ digest: digest(name), size }))],
    config: {}, spec: { image: '', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }, pulledAt: 0n,
  };
}

/** Total, exclusive and shared. */
function split(of: ImageRecord, images: readonly ImageRecord[], layers: readonly LayerRecord[]): bigint[] {
  const usage = imageUsage(of, { images, layers, containers: 0 });
  return [usage.totalBytes, usage.exclusiveBytes, usage.sharedBytes];
}

const layers = [layer('1', 1_000_000), layer('2', 20_000), layer('3', 300), layer('9', 9_000)];

test('an image alone has all it takes to itself: layers, and documents in blocks', () => {
  const one = image('a', '12', [['d', 4097]]);

  assert.deepEqual(split(one, [one], layers), [1_000_000n + 20_000n + 4096n + 8192n, 1_032_288n, 0n]);
});

test('what another image has too is shared, whichever of the two is asked', () => {
  const [one, other] = [image('a', '12'), image('b', '13')];

  assert.deepEqual(split(one, [one, other], layers), [1_024_096n, 24_096n, 1_000_000n]);
  assert.deepEqual(split(other, [one, other], layers), [1_004_396n, 4_396n, 1_000_000n]);
});

test('a document that two images have is shared, and a layer that one has twice counts once', () => {
  const [one, other] = [image('a', '33', [['d', 10]]), image('b', '', [['d', 10]])];

  assert.deepEqual(split(one, [one, other], layers), [300n + 2n * 4096n, 300n + 4096n, 4096n]);
  assert.equal(imageUsage(one, { images: [one, other], layers, containers: 2 }).layers, 1);
});

test('everything together counts each thing once, leftovers too', () => {
  const images = [image('a', '12', [['d', 10]]), image('b', '13', [['d', 10]])];

  assert.equal(placeOfImages(images, layers), 1_000_000n + 20_000n + 300n + 9_000n + 3n * 4096n);
});

test('a layer names the images that have it; a leftover names none', () => {
  const images = [image('a', '12'), image('b', '13')];

  assert.deepEqual(layers.map((one) => layerUsage(one, images).imageIds.map((id) => id[7])), [['a', 'b'], ['a'], ['b'], []]);
});
