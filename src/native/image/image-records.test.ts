import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDigest } from '../../base/digest.ts';
import { ImageRecords } from './image-records.ts';
import type { ImageRecord } from './image-records.ts';

function makeRecords(...given: { id: string; repoTags?: string[]; repoDigests?: string[] }[]): ImageRecords {
  const values = new Map<string, ImageRecord>();
  const records = new ImageRecords({
    put: (id, value) => void values.set(id, value),
    get: (id) => values.get(id),
    delete: (id) => void values.delete(id),
    all: () => [...values.values()],
  });
  const spec = { image: '', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
  for (const { id, repoTags = [], repoDigests = [] } of given) {
    records.put({ id: parseDigest(`sha256:${id.padEnd(64, '0')}`), repoTags, repoDigests, layers: [], documents: [], config: {}, spec, pulledAt: 0n });
  }
  return records;
}

const digest = `sha256:${'d'.repeat(64)}`;

test('an image is found by id, id prefix, tag and digest', () => {
  const records = makeRecords({ id: 'abc1', repoTags: ['docker.io/library/busybox:latest'], repoDigests: [`docker.io/library/busybox@${digest}`] }, { id: 'abd2' });
  const id = `sha256:${'abc1'.padEnd(64, '0')}`;

  for (const text of [id, id.slice(7), 'abc', 'sha256:abc1', 'busybox', 'docker.io/library/busybox:latest', `busybox@${digest}`, `busybox:other@${digest}`]) {
    assert.equal(records.find(text)?.id, id, text);
  }
  for (const text of ['busybox:other', 'ab', 'fff', 'ghcr.io/library/busybox', `other@${digest}`, 'NOT A NAME', '']) {
    assert.equal(records.find(text), undefined, text);
  }
});

test('an ambiguous id prefix is refused', () => {
  const records = makeRecords({ id: 'abc1' }, { id: 'abc2' });

  assert.throws(() => records.find('abc'), (error: Error & { kind?: string }) => error.kind === 'invalid-argument' && /beginning of 2 image ids/.test(error.message));
});

test('a name wins over an id prefix that looks the same', () => {
  const records = makeRecords({ id: 'cafe' }, { id: '1234', repoTags: ['docker.io/library/cafe:latest'] });

  assert.equal(records.find('cafe')?.id, `sha256:${'1234'.padEnd(64, '0')}`);
  assert.equal(records.find('sha256:cafe')?.id, `sha256:${'cafe'.padEnd(64, '0')}`);
});
