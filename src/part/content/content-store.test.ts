import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { hexOf, parseDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { ContentStore, largestDocument } from './content-store.ts';
import { parseImageDocument } from './image-document.ts';

async function makeStore(t: TestContext): Promise<{ store: ContentStore; directory: string }> {
  const root = await mkdtemp(join(tmpdir(), 'gantry-content-'));
  t.after(() => rm(root, { recursive: true }));
  return { store: new ContentStore(root), directory: join(root, 'content') };
}

function digestOf(bytes: Buffer): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

const bytes = Buffer.from('{"a":1}');

test('a document is found under its digest', async (t) => {
  const { store } = await makeStore(t);

  await store.put(digestOf(bytes), bytes);
  await store.put(digestOf(bytes), bytes);

  assert.deepEqual(await store.get(digestOf(bytes)), bytes);
  await assert.rejects(store.get(parseDigest(`sha256:${'0'.repeat(64)}`)), { kind: 'not-found' });
});

test('what is not its digest, or too large, is not stored', async (t) => {
  const { store, directory } = await makeStore(t);
  const large = Buffer.alloc(largestDocument + 1);

  await assert.rejects(store.put(digestOf(bytes), Buffer.from('other')), /the content has the digest/);
  await assert.rejects(store.put(digestOf(large), large), /the limit is 8388608/);
  assert.deepEqual(await readdir(directory), []);
});

test('a file that was damaged since is noticed, and repaired by the next put', async (t) => {
  const { store, directory } = await makeStore(t);
  await store.put(digestOf(bytes), bytes);
  await writeFile(join(directory, hexOf(digestOf(bytes))), 'changed');

  await assert.rejects(store.get(digestOf(bytes)), { kind: 'failed-precondition' });
  await store.put(digestOf(bytes), bytes);

  assert.deepEqual(await store.get(digestOf(bytes)), bytes);
});

test('only what is needed is kept', async (t) => {
  const { store, directory } = await makeStore(t);
  const other = Buffer.from('other');
  await store.put(digestOf(bytes), bytes);
  await store.put(digestOf(other), other);
  await writeFile(join(directory, `${hexOf(digestOf(other))}.ab.tmp`), 'half');

  await store.keepOnly((hex) => hex === hexOf(digestOf(bytes)));

  assert.deepEqual(await readdir(directory), [hexOf(digestOf(bytes))]);
});

test('clearing up leaves documents alone that are being written', async (t) => {
  const { store } = await makeStore(t);
  const documents = Array.from({ length: 30 }, (_, n) => Buffer.from(`document ${n}`));
  const held = new Set(documents.map((document) => hexOf(digestOf(document))));
  let writing = true;
  const clearing = (async () => {
    while (writing) await store.keepOnly((hex) => held.has(hex));
  })();

  try {
    for (const document of documents) await store.put(digestOf(document), document);
  } finally {
    writing = false;
    await clearing;
  }

  for (const document of documents) assert.deepEqual(await store.get(digestOf(document)), document);
});

test('an image configuration is read, nulls and all', () => {
  const diffId = `sha256:${'1'.repeat(64)}`;
  const document = parseImageDocument(Buffer.from(JSON.stringify({
    os: 'linux', architecture: 'amd64', config: { User: '', Env: ['A=b'], Cmd: null, Entrypoint: ['/x'], Volumes: { '/v': {} }, Labels: null }, rootfs: { type: 'layers', diff_ids: [diffId] },
  })), 'app');

  assert.deepEqual(document, {
    os: 'linux', architecture: 'amd64', variant: undefined, created: undefined, diffIds: [diffId], config: { Env: ['A=b'], Entrypoint: ['/x'], Volumes: { '/v': {} } },
  });
});

test('a malformed image configuration is refused', () => {
  const rootfs = { type: 'layers', diff_ids: [] };
  const refusals: [document: unknown, why: RegExp][] = [
    ['nonsense', /it is not JSON/],
    [[], /not a JSON object/],
    [{}, /no rootfs of type layers/],
    [{ rootfs: { type: 'layers', diff_ids: ['../../x'] } }, /no sha256 digest/],
    [{ rootfs, config: { Env: 'A=b' } }, /Env is not a list of strings/],
    [{ rootfs, config: { User: 0 } }, /User is not a string/],
    [{ rootfs, config: { Labels: { a: 1 } } }, /Labels holds something that is no string/],
    [{ rootfs, config: 3 }, /config is not an object/],
  ];

  for (const [document, why] of refusals) {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    assert.throws(() => parseImageDocument(Buffer.from(text), 'app'), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && why.test(error.message), why.source);
  }
});
