/** Layers with sparse files, as GNU tar writes them: holes stay holes, and the tar comes back byte for byte. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { digestOf, tarOf } from '../../../test/support/image.ts';
import { parseDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { makeJournal } from './layer-journal.fake.ts';
import { LayerStore } from './layer-store.ts';
import { defaultUnpackLimits } from './unpack-limits.ts';
import type { UnpackLimits } from './unpack-limits.ts';
import { UnpackPool } from './unpack-pool.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const pool = new UnpackPool();
let directory: string;

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-sparse-'));
});

after(async () => {
  await pool.close();
  rmSync(directory, { recursive: true });
});

function makeStore(limits: Partial<UnpackLimits> = {}): LayerStore {
  return new LayerStore({ root: mkdtempSync(join(directory, 'store-')), journal: makeJournal(), pool, limits: { ...defaultUnpackLimits, ...limits } });
}

async function add(store: LayerStore, tar: Buffer): Promise<Digest> {
  const diffId = parseDigest(digestOf(tar));
  const open = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < tar.length; at += 60_000) yield tar.subarray(at, at + 60_000);
  };
  await store.add({ expected: { blob: diffId, size: tar.length, diffId }, open, signal: new AbortController().signal });
  return diffId;
}

/** A file of `size` bytes with `content` at each of the offsets. */
function makeSparse(path: string, size: number, offsets: readonly number[], content = 'data'): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  for (const offset of offsets) writeSync(fd, content, offset);
  closeSync(fd);
}

const forms = [['--format=gnu'], ['--format=pax', '--sparse-version=0.0'], ['--format=pax', '--sparse-version=0.1'], ['--format=pax', '--sparse-version=1.0']];

for (const form of forms) {
  test(`sparse files of tar ${form.join(' ')} keep their holes, and come back`, { skip }, async () => {
    const tree = mkdtempSync(join(directory, 'tree-'));
    const many = Array.from({ length: 60 }, (_, n) => n * 65_536 + 100);
    makeSparse(join(tree, 'many'), 8_000_001, many);
    makeSparse(join(tree, 'hole'), 50_000_000, []);
    makeSparse(join(tree, 'from-the-start'), 3_000_000, [0, 2_999_996]);
    mkdirSync(join(tree, 'n'.repeat(120)));
    makeSparse(join(tree, 'n'.repeat(120), 'deep'), 1 << 20, [4096], 'x'.repeat(200_000));
    makeSparse(join(tree, 'ordinary'), 20, [0, 4, 8, 12, 16]);
    execFileSync('chown', ['1000:8', join(tree, 'many')]);
    const tar = execFileSync('tar', ['--sparse', ...form, '-C', tree, '-cf', '-', '.'], { maxBuffer: 1 << 26 });
    const store = makeStore();

    const diffId = await add(store, tar);

    const layer = store.directoryOf(diffId);
    execFileSync('diff', ['-r', tree, layer]);
    for (const name of ['many', 'hole', 'from-the-start', `${'n'.repeat(120)}/deep`]) {
      assert.ok(statSync(join(layer, name)).blocks <= statSync(join(tree, name)).blocks, `${name} has lost holes`);
    }
    assert.deepEqual([statSync(join(layer, 'many')).uid, statSync(join(layer, 'many')).gid], [1000, 8]);
    assert.equal(store.get(diffId)?.bytes, 4096 * (2 /* directories */ + 60 + 0 + 2 + 49 + 1 + 1 /* the outline */));
    const pieces: Buffer[] = [];
    for await (const piece of store.tarOf(diffId).read()) pieces.push(piece);
    assert.ok(Buffer.concat(pieces).equals(tar));
  });
}

test('a sparse file that a later entry replaces is counted no more', { skip }, async () => {
  const store = makeStore();
  const pax = { 'GNU.sparse.size': '10000000', 'GNU.sparse.numblocks': '1', 'GNU.sparse.map': '5000000,1' };

  const diffId = await add(store, tarOf([{ path: 'a', content: 'x', pax }, { path: 'b', type: 'hardlink', link: 'a' }, { path: 'a', content: 'y' }, { path: 'b', content: 'z' }]));

  assert.equal(store.get(diffId)?.bytes, 4096 * (3 + 1 /* the outline */));
  assert.equal(readFileSync(join(store.directoryOf(diffId), 'b'), 'utf8'), 'z');
});

test('holes have a limit too, and so has what bytes in many blocks take', { skip }, async () => {
  const hole = { path: 'a', pax: { 'GNU.sparse.size': '600000', 'GNU.sparse.numblocks': '0' } };
  const scattered = Array.from({ length: 3000 }, (_, n) => `${n * 4096},1`).join(',');
  const bomb = { content: 'x'.repeat(3000), pax: { 'GNU.sparse.size': '20000000', 'GNU.sparse.numblocks': '3000', 'GNU.sparse.map': scattered } };
  const bombs = Array.from({ length: 10 }, (_, n) => ({ path: `f${n}`, ...bomb }));

  await add(makeStore({ maxBytes: 1_000_000 }), tarOf([hole]));
  await assert.rejects(add(makeStore({ maxBytes: 1_000_000 }), tarOf([hole, { ...hole, path: 'b' }])), { kind: 'resource-exhausted', message: /its sparse files have more than 1000000 bytes, holes included/ });
  await assert.rejects(add(makeStore({ maxRatio: 20, ratioFreeBytes: 1 << 20 }), tarOf(bombs)), { kind: 'resource-exhausted', message: /inflates more than 20 times/ });
  await assert.rejects(add(makeStore(), tarOf([{ path: 'a', pax: { 'GNU.sparse.size': '9007199254740991', 'GNU.sparse.numblocks': '0' } }])), { kind: 'resource-exhausted' });
});
