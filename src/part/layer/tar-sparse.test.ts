import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tarHeader, tarOf } from '../../../test/support/image.ts';
import { TarReader } from './tar-reader.ts';
import type { SparseMap } from './tar-sparse.ts';

interface Seen {
  readonly name: string;
  readonly sparse: SparseMap | undefined;
  content: string;
}

function read(tar: Buffer, step = tar.length): Seen[] {
  const seen: Seen[] = [];
  const reader = new TarReader({
    begin: ({ name, sparse }) => void seen.push({ name, sparse, content: '' }),
    data: (bytes) => void (seen.at(-1)!.content += bytes.toString('latin1')),
    end() {},
  });
  for (let at = 0; at < tar.length; at += step) reader.push(tar.subarray(at, at + step));
  reader.finish();
  return seen;
}

type Pair = readonly [offset: number, length: number];

const checksummed = (header: Buffer): Buffer => {
  header.fill(' ', 148, 156);
  header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
};

/** The old form: four pieces in the header, 21 in each block behind it. */
function oldGnu(pairs: readonly Pair[], { size = 100, content = '', endless = false, magic = 'ustar  \0' } = {}): Buffer {
  const octal = (block: Buffer, value: number, at: number): void => void block.write(`${value.toString(8).padStart(11, '0')}\0`, at, 'latin1');
  const write = (block: Buffer, some: readonly Pair[]): void => some.forEach(([offset, length], n) => [offset, length].forEach((value, m) => octal(block, value, (block === header ? 386 : 0) + n * 24 + m * 12)));
  const header = tarHeader({ name: 's', flag: 'S', size: content.length, mode: 0o644, mtime: 0 });
  header.write(magic, 257, 'latin1');
  octal(header, size, 483);
  write(header, pairs.slice(0, 4));
  const blocks: Buffer[] = [];
  for (let at = 4; at < pairs.length; at += 21) {
    const block = Buffer.alloc(512);
    write(block, pairs.slice(at, at + 21));
    block[504] = endless || at + 21 < pairs.length ? 1 : 0;
    blocks.push(block);
  }
  header[482] = blocks.length > 0 ? 1 : 0;
  return Buffer.concat([checksummed(header), ...blocks, Buffer.from(content.padEnd(Math.ceil(content.length / 512) * 512, '\0')), Buffer.alloc(endless ? 0 : 1024)]);
}

const sparse = (records: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(records).map(([key, value]) => [`GNU.sparse.${key}`, value]));

/** pax 0.1. */
const records = (map: string, more: Record<string, string> = {}, content = ''): Buffer =>
  tarOf([{ path: 'made-up', content, pax: sparse({ name: 's', size: '100', numblocks: String(map === '' ? 0 : map.split(',').length / 2), map, ...more }) }]);

/** pax 1.0: the map's text, padded, then the content. */
const text = (map: string, content = '', more: Record<string, string> = {}): Buffer =>
  tarOf([{ path: 'made-up', content: map.padEnd(Math.ceil(map.length / 512) * 512, '\0') + content, pax: sparse({ name: 's', major: '1', minor: '0', realsize: '100', ...more }) }]);

const pairs: Pair[] = [[10, 3], [20, 4], [100, 0]];
const expected: Seen = { name: 's', sparse: { size: 100, extents: [{ offset: 10, length: 3 }, { offset: 20, length: 4 }] }, content: 'abcdefg' };

test('each form of a sparse file reads the same, however its bytes arrive', () => {
  const forms = {
    old: oldGnu(pairs, { content: 'abcdefg' }),
    '0.0': Buffer.concat([paxOf(zeroZero(pairs)), tarOf([{ path: 's', content: 'abcdefg' }])]),
    '0.1': records('10,3,20,4,100,0', {}, 'abcdefg'),
    '1.0': text('3\n10\n3\n20\n4\n100\n0\n', 'abcdefg'),
  };

  for (const [form, tar] of Object.entries(forms)) {
    for (const step of [tar.length, 1, 511, 513]) assert.deepEqual(read(tar, step), [expected], `${form} in steps of ${step}`);
  }
});

test('maps of many pieces are read over the blocks that they take', () => {
  const many = Array.from({ length: 200 }, (_, n): Pair => [n * 10, 1]);
  const content = 'x'.repeat(200);
  const extents = many.map(([offset, length]) => ({ offset, length }));

  for (const tar of [oldGnu(many, { size: 2000, content }), text(`200\n${many.flat().join('\n')}\n`, content, { realsize: '2000' })]) {
    assert.deepEqual(read(tar, 700), [{ name: 's', sparse: { size: 2000, extents }, content }]);
  }
});

test('a file that is one hole has no content', () => {
  for (const tar of [oldGnu([[100, 0]]), oldGnu([]), records('100,0'), records(''), text('1\n100\n0\n'), text('0\n')]) {
    assert.deepEqual(read(tar), [{ name: 's', sparse: { size: 100, extents: [] }, content: '' }]);
  }
});

const hostile: [what: string, tar: () => Buffer, why: RegExp][] = [
  ['pieces that overlap', () => oldGnu([[10, 5], [14, 2]], { content: 'abcdefg' }), /sparse map cannot be true: the piece at 14 begins before the end of the one before it, 15/],
  ['pieces out of order', () => records('20,4,10,3', {}, 'abcdefg'), /the piece at 10 begins before the end of the one before it, 24/],
  ['a piece beyond the size', () => text('1\n96\n7\n', 'abcdefg'), /the piece at 96 ends at 103, behind the end of the file, 100/],
  ['an empty piece beyond the size', () => records('101,0'), /ends at 101, behind the end of the file, 100/],
  ['more content than the map says', () => oldGnu([[10, 3]], { content: 'abcdefg' }), /it is about 3 bytes, and the archive has 7/],
  ['less content than the map says', () => text('1\n10\n8\n', 'abcdefg'), /it is about 8 bytes, and the archive has 7/],
  ['no map, but content', () => oldGnu([], { content: 'abc' }), /it is about 0 bytes, and the archive has 3/],
  ['a sum beyond all numbers', () => records('0,9007199254740991,9007199254740991,9007199254740991', { size: '9007199254740991' }), /ends at 18014398509481982, behind the end|begins before the end/],
  ['a size beyond all numbers', () => records('0,0', { size: '9999999999999999' }), /a number is out of range/],
  ['an endless old map', () => Buffer.concat([oldGnu(Array.from({ length: 30 }, (_, n): Pair => [n, 0]), { endless: true }), endlessBlocks(14_000)]), /sparse map has 26\d+ pieces, the limit is 262144/],
  ['an old map that is cut short', () => oldGnu(Array.from({ length: 30 }, (_, n): Pair => [n, 0]), { endless: true }), /the archive is cut short/],
  ['an old map in a header of another kind', () => oldGnu(pairs, { content: 'abcdefg', magic: 'ustar\x0000' }), /its header is not of GNU tar/],
  ['a negative offset', () => { const tar = oldGnu(pairs, { content: 'abcdefg' }); tar.fill(0xff, 386, 398); checksummed(tar.subarray(0, 512)); return tar; }, /a number is out of range/],
  ['a count that is not the map\'s', () => records('10,3', { numblocks: '2' }, 'abc'), /says 2 pieces and has 1/],
  ['half a piece', () => records('10,3,4', { numblocks: '1' }, 'abc'), /says 1 pieces and has 1.5/],
  ['no count', () => tarOf([{ path: 'a', pax: sparse({ size: '1', map: '0,0' }) }]), /a number of its sparse map is missing or malformed: ""/],
  ['no size', () => tarOf([{ path: 'a', pax: sparse({ numblocks: '0', major: '0', minor: '1' }) }]), /missing or malformed: ""/],
  ['a number that is none', () => records('10,0x3'), /missing or malformed: "0x3"/],
  ['a text map that is none', () => text('1\nten\n3\n', 'abc'), /missing or malformed: "ten"/],
  ['a text map without its block', () => tarOf([{ path: 'a', content: '0\n', pax: sparse({ major: '1', minor: '0', realsize: '1' }) }]), /without its map/],
  ['a text map that goes beyond the entry', () => text('3\n10\n3\n', ''), /its sparse map is cut short/],
  ['a text map with a count of billions', () => text('9999999999\n', ''), /has 9999999999 pieces, the limit is 262144/],
  ['a text map that goes on and on', () => text(`262144\n${'0\n'.repeat(1 << 19)}`, 'x'.repeat(512)), /larger than the limit of 1048576 bytes/],
  ['a text map of one endless line', () => text('1'.repeat(2000), ''), /larger than the limit of 1048576 bytes/],
  ['a form that nobody knows', () => records('0,0', { major: '2', minor: '0' }), /unknown format "2\.0"/],
  ['records out of order', () => paxOf(record('GNU.sparse.numbytes', '3')), /sparse map of a pax header is out of order/],
  ['a directory with holes', () => tarOf([{ path: 'd', type: 'directory', pax: sparse({ size: '1', numblocks: '0' }) }]), /it is a directory, and is said to be a sparse file/],
  ['a link with holes', () => tarOf([{ path: 'd', type: 'symlink', link: 'x', pax: sparse({ size: '1', numblocks: '0' }) }]), /it is a symlink, and is said/],
  ['a name with a NUL', () => records('', { name: 'a\0b' }), /NUL byte/],
];

for (const [what, tar, why] of hostile) {
  test(`refused: ${what}`, () => {
    assert.throws(() => read(tar()), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && why.test(error.message), why.source);
  });
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function zeroZero(map: readonly Pair[]): string {
  return [record('GNU.sparse.size', '100'), record('GNU.sparse.numblocks', String(map.length)), ...map.flatMap(([offset, length]) => [record('GNU.sparse.offset', String(offset)), record('GNU.sparse.numbytes', String(length))])].join('');
}

/** A pax header with these records, for the entry that follows. */
function paxOf(body: string): Buffer {
  return Buffer.concat([tarHeader({ name: 'pax', flag: 'x', size: body.length, mode: 0, mtime: 0 }), Buffer.from(body.padEnd(Math.ceil(body.length / 512) * 512, '\0'))]);
}

function endlessBlocks(count: number): Buffer {
  const block = Buffer.alloc(512);
  for (let at = 0; at < 504; at += 24) block.write('00000000144\x0000000000000\0', at, 'latin1');
  block[504] = 1;
  return Buffer.concat(Array.from({ length: count }, () => block));
}
