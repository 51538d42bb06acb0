import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveIndex } from './archive-index.ts';
import type { ArchiveEntry } from './archive-index.ts';

function entry(name: string, more: Partial<ArchiveEntry> = {}): ArchiveEntry {
  return { type: 'file', name, linkName: '', size: 0, ...more };
}

function indexOf(...entries: ArchiveEntry[]): ArchiveIndex {
  const index = new ArchiveIndex();
  for (const one of entries) {
    index.begin(one);
    index.end();
  }
  return index;
}

test('a file is found where its first byte was, however the archive came', () => {
  const index = new ArchiveIndex();
  const piece = Buffer.alloc(2048);
  index.beginPiece(piece, 4096);
  index.begin(entry('./blobs//sha256/aa', { size: 100 }));
  index.data(piece.subarray(512, 552));
  index.beginPiece(Buffer.alloc(60), 6144);
  index.data(Buffer.alloc(60));
  index.end();

  assert.deepEqual(index.find('blobs/sha256/aa'), { offset: 4608, size: 100 });
  assert.equal(index.find('blobs/sha256/bb'), undefined);
});

test('links are followed inside the archive', () => {
  const index = indexOf(
    entry('a/layer.tar', { size: 7 }),
    entry('b/layer.tar', { type: 'symlink', linkName: '../a/layer.tar' }),
    entry('c/layer.tar', { type: 'symlink', linkName: './../b/layer.tar' }),
    entry('d', { type: 'hardlink', linkName: 'c/layer.tar' }),
    entry('dangling', { type: 'symlink', linkName: 'nothing' }),
    entry('round', { type: 'symlink', linkName: 'round' }),
    entry('a', { type: 'directory' }),
    entry('a', { type: 'directory' }),
  );

  for (const name of ['b/layer.tar', 'c/layer.tar', 'd']) assert.equal(index.find(name)?.size, 7, name);
  assert.equal(index.find('dangling'), undefined);
  assert.throws(() => index.find('round'), { kind: 'failed-precondition', message: 'read image archive entry "round": more than 8 links follow each other' });
});

test('what no image archive has is refused', () => {
  const rows: [entries: ArchiveEntry[], why: RegExp][] = [
    [[entry('../a')], /its name has '\.\.' in it/],
    [[entry('a/../b')], /its name has '\.\.' in it/],
    [[entry('/a')], /its name is absolute/],
    [[entry('a'), entry('./a')], /it is there twice/],
    [[entry('a'), entry('a', { type: 'symlink', linkName: 'b' })], /it is there twice/],
    [[entry('a', { type: 'symlink', linkName: '..' })], /it is a link that leads out of the archive/],
    [[entry('a/b', { type: 'symlink', linkName: '../../c' })], /it is a link that leads out of the archive/],
    [[entry('a/b', { type: 'symlink', linkName: '/a/c' })], /it is a link that leads out of the archive/],
    [[entry('a', { type: 'hardlink', linkName: '/a/c' })], /it is a link that leads out of the archive/],
    [[entry('a', { type: 'char' })], /it is a device or a pipe/],
    [[entry('a', { type: 'fifo' })], /it is a device or a pipe/],
    [[entry('n'.repeat(1025))], /its name has more than 1024 bytes/],
  ];

  for (const [entries, why] of rows) assert.throws(() => indexOf(...entries), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && why.test(error.message), why.source);
  const many = new ArchiveIndex();
  assert.throws(() => {
    for (let n = 0; ; n++) many.begin(entry('d', { type: 'directory' }));
  }, /it has more than 100000 entries/);
});
