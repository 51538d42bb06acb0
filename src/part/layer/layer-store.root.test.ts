import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestOf, tarOf } from '../../../test/support/image.ts';
import type { TestEntry } from '../../../test/support/image.ts';
import { hexOf, parseDigest } from '../../base/digest.ts';
import { makeJournal } from './layer-journal.fake.ts';
import { LayerStore } from './layer-store.ts';
import { defaultUnpackLimits } from './unpack-limits.ts';
import { UnpackPool } from './unpack-pool.ts';
import type { ExpectedLayer } from './unpack-protocol.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const never = new AbortController().signal;

function makeStore(t: TestContext, journal = makeJournal()): { root: string; journal: ReturnType<typeof makeJournal>; store: LayerStore; reopen(): LayerStore } {
  const root = mkdtempSync(join(tmpdir(), 'gantry-layers-'));
  const pool = new UnpackPool();
  t.after(async () => {
    await pool.close();
    rmSync(root, { recursive: true, force: true });
  });
  const reopen = (): LayerStore => new LayerStore({ root, journal, pool, limits: defaultUnpackLimits });
  return { root, journal, store: reopen(), reopen };
}

function layer(entries: TestEntry[]): { expected: ExpectedLayer; open: () => AsyncGenerator<Buffer> } {
  const tar = tarOf(entries);
  const digest = parseDigest(digestOf(tar));
  return {
    expected: { blob: digest, size: tar.length, diffId: digest },
    async *open() {
      yield tar;
    },
  };
}

test('a layer is stored once under a short name, and removed without a trace', { skip }, async (t) => {
  const { root, journal, store } = makeStore(t);
  const { expected, open } = layer([{ path: 'a', content: 'x' }]);

  const record = await store.add(expected, open, never);
  const again = await store.add(expected, () => assert.fail('it is here already'), never);

  assert.deepEqual(again, record);
  assert.equal(store.directoryOf(expected.diffId), join(root, 'layers', record.name));
  assert.ok(record.name.length <= 2 && existsSync(join(root, 'layers', record.name, 'a')));
  await store.remove(expected.diffId);
  await store.remove(expected.diffId);
  assert.deepEqual([readdirSync(join(root, 'layers')), journal.rows.size], [[], 0]);
  assert.throws(() => store.directoryOf(expected.diffId), { kind: 'not-found' });
});

test('the same layer from two sides at once is kept once', { skip }, async (t) => {
  const { root, journal, store } = makeStore(t);
  const { expected, open } = layer([{ path: 'a', content: 'x' }]);

  const [first, second] = await Promise.all([store.add(expected, open, never), store.add(expected, open, never)]);

  assert.deepEqual(first, second);
  assert.deepEqual([readdirSync(join(root, 'layers')), readdirSync(join(root, 'staging')), journal.rows.size], [[first.name], [], 0]);
});

test('a layer whose manifest promises more than the limit is not even asked for', { skip }, async (t) => {
  const { journal, store } = makeStore(t);
  const { expected } = layer([{ path: 'a' }]);

  const added = store.add({ ...expected, size: Number.MAX_SAFE_INTEGER }, () => assert.fail('nobody is asked'), never);

  await assert.rejects(added, { kind: 'resource-exhausted', message: /^unpack layer sha256:[0-9a-f]{64}: its manifest says 9007199254740991 bytes, the limit is 214748364800$/ });
  assert.equal(journal.rows.size, 0);
});

test('layers are within nobody else\'s reach (CVE-2021-41103): what is set-user-ID in them, and devices', { skip }, async (t) => {
  const { root, reopen } = makeStore(t);
  chmodSync(join(root, 'layers'), 0o755);

  reopen();

  assert.deepEqual(['layers', 'staging'].map((name) => statSync(join(root, name)).mode & 0o777), [0o700, 0o700]);
});

test('a failed download leaves nothing', { skip }, async (t) => {
  const { root, journal, store } = makeStore(t);
  const { expected } = layer([{ path: 'a', content: 'x' }]);

  const added = store.add(expected, async function* () {
    yield Buffer.alloc(100);
    await sleep(1);
    throw new Error('line cut');
  }, never);

  await assert.rejects(added, /line cut/);
  assert.deepEqual([readdirSync(join(root, 'layers')), readdirSync(join(root, 'staging')), journal.rows.size], [[], [], 0]);
});

test('whatever instruction the daemon died at, the next start finds whole layers only', { skip }, async (t) => {
  const { root, journal, store, reopen } = makeStore(t);
  const whole = layer([{ path: 'whole' }]);
  const kept = await store.add(whole.expected, whole.open, never);
  const torn = layer([{ path: 'torn' }]);
  // Died while unpacking, after the rename but before the record, in the middle of a removal, and before doing anything.
  const [unpacking, renamed] = [journal.ledger.intend('x', 'layer-directory', null), journal.ledger.intend('x', 'layer-directory', null)];
  mkdirSync(join(root, 'staging', unpacking.toString(36), 'half'), { recursive: true });
  mkdirSync(join(root, 'layers', renamed.toString(36), 'unrecorded'), { recursive: true });
  const removed = await store.add(torn.expected, torn.open, never);
  journal.records.delete(hexOf(removed.diffId));
  journal.ledger.intend('x', 'layer-directory', { name: removed.name });
  journal.ledger.intend('x', 'layer-directory', null);
  const foreign = journal.ledger.intend('x', 'network', {});

  await reopen().recover();
  await reopen().recover();

  assert.deepEqual([readdirSync(join(root, 'layers')), readdirSync(join(root, 'staging'))], [[kept.name], []]);
  assert.deepEqual([...journal.rows.keys()], [foreign], 'what others owe is theirs to undo');
  assert.deepEqual(store.all().map(({ name }) => name), [kept.name]);
});

test('a record whose directory was taken away is forgotten', { skip }, async (t) => {
  const { store, reopen } = makeStore(t);
  const { expected, open } = layer([{ path: 'a' }]);
  await store.add(expected, open, never);
  rmSync(store.directoryOf(expected.diffId), { recursive: true });

  await reopen().recover();

  assert.equal(store.get(expected.diffId), undefined);
});

test('a database that was lost does not make new layers collide with old directories', { skip }, async (t) => {
  const { root, store } = makeStore(t);
  mkdirSync(join(root, 'layers', '1', 'of a daemon before'), { recursive: true });
  const { expected, open } = layer([{ path: 'a' }]);

  const record = await store.add(expected, open, never);

  assert.notEqual(record.name, '1');
  assert.ok(existsSync(join(root, 'layers/1/of a daemon before')));
});
