/** What was unpacked comes back as the tar that it was, byte for byte, or not at all. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { digestOf, tarHeader, tarOf } from '../../../test/support/image.ts';
import type { TestEntry } from '../../../test/support/image.ts';
import { hexOf, parseDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { makeJournal } from './layer-journal.fake.ts';
import { LayerStore } from './layer-store.ts';
import { defaultUnpackLimits } from './unpack-limits.ts';
import { UnpackPool } from './unpack-pool.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

function makeStore(t: TestContext): { store: LayerStore; root: string; journal: ReturnType<typeof makeJournal> } {
  const root = mkdtempSync(join(tmpdir(), 'gantry-rebuild-'));
  const pool = new UnpackPool();
  t.after(async () => {
    await pool.close();
    rmSync(root, { recursive: true, force: true });
  });
  const journal = makeJournal();
  return { root, journal, store: new LayerStore({ root, journal, pool, limits: defaultUnpackLimits }) };
}

/** Stores a tar that arrives in pieces of `step` bytes. */
async function add(store: LayerStore, tar: Buffer, step = 60_000): Promise<Digest> {
  const diffId = parseDigest(digestOf(tar));
  const open = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < tar.length; at += step) yield tar.subarray(at, at + step);
  };
  await store.add({ expected: { blob: diffId, size: tar.length, diffId }, open, signal: new AbortController().signal });
  return diffId;
}

async function rebuilt(store: LayerStore, diffId: Digest): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of store.tarOf(diffId).read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

const everything: TestEntry[] = [
  { path: 'dir/', type: 'directory', mode: 0o2775, gid: 8 },
  { path: './dir/file', content: 'x'.repeat(700_001), uid: 1000, mtime: 1234567890 },
  { path: 'dir/linked', type: 'hardlink', link: 'dir/file' },
  { path: `dir/${'long'.repeat(60)}`, content: 'a', pax: { mtime: '12.123456789', uid: '4000000' } },
  { path: '/absolute', content: 'b' },
  { path: 'empty' },
  { path: 'link', type: 'symlink', link: 'dir' },
  { path: 'link/through', content: 'written through a symlink of the layer' },
  { path: 'root', type: 'symlink', link: '/dir' },
  { path: 'root/absolutely', content: 'and through an absolute one' },
  { path: 'dev', type: 'char', major: 1, minor: 3 },
  { path: 'pipe', type: 'fifo' },
  { path: 'caps', content: 'b', xattrs: { 'security.capability': Buffer.from([1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 'user.odd': Buffer.from([0, 255]) } },
  { path: 'gone/.wh..wh..opq' },
  { path: 'gone/.wh.file', content: 'a whiteout with content' },
  { path: '.wh..wh.plnk/1', content: 'of AUFS' },
];

test('a layer with all kinds of entries gives its tar back', { skip }, async (t) => {
  const { store } = makeStore(t);
  const latin1 = Buffer.concat([tarHeader({ name: 'x', flag: '0', size: 3, mode: 0o644, mtime: 1 }), Buffer.from('abc'.padEnd(512, '\0'))]);
  latin1[0] = 0xe9;
  latin1.fill(' ', 148, 156).write(`${latin1.subarray(0, 512).reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const tars: Record<string, Buffer> = {
    everything: tarOf(everything),
    nothing: Buffer.alloc(1024),
    'no bytes at all': Buffer.alloc(0),
    'no end marker': tarOf([{ path: 'a', content: 'x' }]).subarray(0, 1024),
    'a long end': Buffer.concat([tarOf([{ path: 'a', content: 'x' }]), Buffer.alloc(9216)]),
    'padding that is not zeros': Buffer.concat([tarOf([{ path: 'a', content: 'x' }]).subarray(0, 513), Buffer.alloc(511, 'p'), Buffer.alloc(1024), Buffer.from('and more')]),
    'a name that is not UTF-8': latin1,
  };

  for (const [what, tar] of Object.entries(tars)) {
    const diffId = await add(store, tar);
    assert.ok((await rebuilt(store, diffId)).equals(tar), what);
    assert.equal(store.tarOf(diffId).bytes, tar.length, what);
    await store.remove(diffId);
  }
  for (const step of [1, 511, 513, 4096]) {
    const tar = tarOf([{ path: `pieces of ${step}` }, { path: 'f', content: 'y'.repeat(1300) }, { path: 'g', content: 'z' }]);
    assert.ok((await rebuilt(store, await add(store, tar, step))).equals(tar), `in pieces of ${step}`);
  }
});

for (const format of ['gnu', 'pax', 'ustar', 'v7']) {
  test(`a tree that GNU tar wrote as ${format} comes back`, { skip }, async (t) => {
    const { store, root } = makeStore(t);
    const tree = join(root, 'tree');
    mkdirSync(join(tree, 'a/b'), { recursive: true });
    for (let n = 0; n < 3000; n++) writeFileSync(join(tree, `a/b/file-${n}`), `content ${n}`.repeat(n % 50));
    writeFileSync(join(tree, `a/${format === 'gnu' || format === 'pax' ? 'n'.repeat(200) : 'n'}`), 'long');
    symlinkSync('a/b', join(tree, 'link'));
    const tar = execFileSync('tar', [`--format=${format}`, '-C', tree, '-cf', '-', '.'], { maxBuffer: 1 << 26 });

    const diffId = await add(store, tar);

    assert.ok((await rebuilt(store, diffId)).equals(tar));
    const { size } = statSync(join(root, 'outlines', store.get(diffId)?.name ?? ''));
    assert.ok(size < 3000 * 60, `the outline takes ${size} bytes`);
    await store.remove(diffId);
    assert.deepEqual(readdirSync(join(root, 'outlines')), []);
  });
}

test('a layer that does not give its tar back says so', { skip }, async (t) => {
  const { store, root } = makeStore(t);
  const outlineOf = (diffId: Digest): string => join(root, 'outlines', store.get(diffId)?.name ?? '');
  const cases: [why: RegExp, damage: (diffId: Digest) => void, entries?: TestEntry[]][] = [
    [/what is on disk gives sha256:/, () => {}, [{ path: 'a', content: 'old' }, { path: 'a', content: 'new' }]],
    [/the file "a" has not the size that it had there/, () => {}, [{ path: 'a', content: 'older' }, { path: 'a', content: 'new' }]],
    [/the file "a" is not there/, (diffId) => rmSync(join(store.directoryOf(diffId), 'a'))],
    [/what is on disk gives sha256:/, (diffId) => writeFileSync(join(store.directoryOf(diffId), 'a'), 'longerX')],
    [/its outline is gone/, (diffId) => rmSync(outlineOf(diffId))],
    [/what is on disk gives sha256:/, (diffId) => truncateSync(outlineOf(diffId), 0)],
    [/its outline is damaged/, (diffId) => truncateSync(outlineOf(diffId), 40)],
    [/its outline is damaged/, (diffId) => writeFileSync(outlineOf(diffId), Buffer.alloc(100, 0xff))],
  ];

  for (const [n, [why, damage, entries]] of cases.entries()) {
    const diffId = await add(store, tarOf([...(entries ?? [{ path: 'a', content: 'longer!' }]), { path: `case ${n}` }]));
    damage(diffId);
    await assert.rejects(rebuilt(store, diffId), (error: Error & { kind?: string }) => {
      assert.match(error.message, why);
      assert.match(error.message, /^rebuild layer sha256:.*: get the image from its registry instead$/);
      return error.kind === 'failed-precondition';
    });
  }
});

test('a symlink that was put in the place of a file leads nowhere', { skip }, async (t) => {
  const { store } = makeStore(t);
  const diffId = await add(store, tarOf([{ path: 'a', content: 'root:' }]));
  const path = join(store.directoryOf(diffId), 'a');
  rmSync(path);
  symlinkSync('/etc/passwd', path);

  await assert.rejects(rebuilt(store, diffId), /the file "a" is not there/);
});

test('a layer that an older Gantry unpacked says what to do', { skip }, async (t) => {
  const { store, journal } = makeStore(t);
  const diffId = await add(store, tarOf([{ path: 'a' }]));
  const { tarBytes, ...older } = store.get(diffId)!;
  journal.records.put(hexOf(diffId), older);

  assert.equal(tarBytes, 1536);
  assert.throws(() => store.tarOf(diffId), { kind: 'failed-precondition', message: /an older Gantry unpacked it and did not keep what that takes: remove the image and pull it again/ });
});
