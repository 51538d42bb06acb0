/** A removal that fails halfway, and the same call again. The store's parts are fakes, for they do not fail at a test's wish. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageDeps } from './image-deps.ts';
import { removeImage } from './remove-image.ts';

interface Store {
  readonly deps: ImageDeps;
  /** What is there still. */
  left(): string[];
}

/** An image of three layers and a document; what is in `stuck` cannot be removed. */
function storeWith(stuck: Set<string>): Store {
  const image = { id: 'image', layers: ['a', 'b', 'c'], documents: [{ digest: `sha256:${'d'.repeat(64)}` }] };
  const images = new Map([['image', image]]);
  const layers = new Set(image.layers);
  const documents = new Set(['d'.repeat(64)]);
  const fail = (name: string): void => {
    if (stuck.has(name)) throw new Error(`cannot remove ${name}`);
  };
  const deps = {
    records: { find: (name: string) => images.get(name), delete: (id: string) => void images.delete(id), all: () => [...images.values()] },
    holds: { has: () => false },
    heldImages: new Map(),
    usedBy: () => [],
    layers: {
      all: () => [...layers].map((diffId) => ({ diffId })),
      remove: async (diffId: string) => {
        fail(diffId);
        layers.delete(diffId);
      },
      partials: { sweep: () => {} },
    },
    content: {
      keepOnly: async (isNeeded: (hex: string) => boolean) => {
        for (const hex of documents) {
          if (isNeeded(hex)) continue;
          fail(hex);
          documents.delete(hex);
        }
      },
    },
  } as unknown as ImageDeps;
  return { deps, left: () => [...images.keys(), ...layers, ...documents] };
}

test('a layer that cannot be removed is told, and does not keep the others; called again, the removal is completed', async () => {
  const stuck = new Set(['a']);
  const { deps, left } = storeWith(stuck);

  await assert.rejects(removeImage(deps, 'image'), { message: 'cannot remove a' });
  assert.deepEqual(left(), ['a']);
  await assert.rejects(removeImage(deps, 'image'), { message: 'cannot remove a' }, 'it is not gone, and no call says so');
  stuck.clear();
  await removeImage(deps, 'image');

  assert.deepEqual(left(), []);
});

test('a document that cannot be removed is told, and goes with the next call', async () => {
  const stuck = new Set(['d'.repeat(64)]);
  const { deps, left } = storeWith(stuck);

  await assert.rejects(removeImage(deps, 'image'), { message: /^cannot remove d+$/ });
  assert.deepEqual(left(), ['d'.repeat(64)]);
  stuck.clear();
  await removeImage(deps, 'image');

  assert.deepEqual(left(), []);
});
