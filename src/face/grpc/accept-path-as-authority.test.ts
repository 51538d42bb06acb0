import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { acceptPathAsAuthority } from './accept-path-as-authority.ts';

/** Codes of RFC 7541, appendix B, for what socket paths are made of here. */
const huffman: Readonly<Record<string, string>> = {
  '/': '011000', '-': '010110', '.': '010111', ':': '1011100', '#': '111111111010', '~': '1111111111101', '0': '00000', '7': '011101',
  'a': '00011', 'c': '00100', 'e': '00101', 'h': '100111', 'i': '00110', 'k': '1110101', 'n': '101010', 'o': '00111',
  'r': '101100', 's': '01000', 't': '01001', 'u': '101101', 'y': '1111010',
};

function packed(bits: string): Buffer {
  return Buffer.from((bits.padEnd(Math.ceil(bits.length / 8) * 8, '1').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

function encoded(text: string): Buffer {
  return packed([...text].map((character) => huffman[character] ?? assert.fail(character)).join(''));
}

function literal(value: Buffer, huffmanBit: 0x80 | 0): Buffer {
  assert.ok(value.length < 127);
  return Buffer.from([huffmanBit | value.length, ...value]);
}

const raw = (text: string): Buffer => literal(Buffer.from(text), 0);
const compressed = (text: string): Buffer => literal(encoded(text), 0x80);

/** A literal field: the byte that says how it is indexed and where its name comes from, then name and value. */
const field = (first: number, ...parts: Buffer[]): Buffer => Buffer.concat([Buffer.from([first]), ...parts]);

function patched(...fields: Buffer[]): Buffer {
  const block = Buffer.concat(fields);
  acceptPathAsAuthority(block);
  return block;
}

const path = '/run/containers/sock.sock';
const accepted = '-run-containers-sock.sock';

for (const [how, first] of [['with indexing', 0x41], ['without indexing', 0x01], ['never indexed', 0x11]] as const) {
  test(`a path ${how} becomes a valid authority, raw and in Huffman code`, () => {
    assert.deepEqual(patched(field(first, raw(path))), field(first, raw(accepted)));
    assert.deepEqual(patched(field(first, compressed(path))), field(first, compressed(accepted)));
  });
}

test('the name may be spelled out, raw and in Huffman code', () => {
  assert.deepEqual(patched(field(0x40, raw(':authority'), compressed(path))), field(0x40, raw(':authority'), compressed(accepted)));
  assert.deepEqual(patched(field(0x00, compressed(':authority'), raw(path))), field(0x00, compressed(':authority'), raw(accepted)));
});

test('other fields keep their slashes', () => {
  const others = [
    field(0x44, raw('/runtime.v1/Version')), field(0x44, compressed('/runc')),
    field(0x40, raw('authority'), raw('/a')), field(0x40, compressed('host'), compressed('/a')),
  ];

  assert.deepEqual(patched(...others), Buffer.concat(others));
});

test('an authority is found behind indexed fields, size updates and long values', () => {
  const longValue = Buffer.concat([Buffer.from([0x7f, 0x81, 0x01]), Buffer.alloc(256, '/')]);
  const before = [Buffer.from([0x83, 0x86, 0xff, 0x20]), Buffer.from([0x3f, 0xe1, 0x1f]), field(0x40, raw('x'), longValue)];

  assert.deepEqual(patched(...before, field(0x41, raw('/a'))), Buffer.concat([...before, field(0x41, raw('-a'))]));
});

test('a valid authority stays as it is', () => {
  for (const authority of ['localhost', '%2Frun%2Fx.sock', '10.0.0.1:443']) {
    assert.deepEqual(patched(field(0x41, raw(authority))), field(0x41, raw(authority)));
  }
});

test('what follows a byte with a code over 15 bits stays as it is', () => {
  const value = literal(packed(`${huffman['/']}${'1111111111111111010'}${huffman['/']}`), 0x80); // 19 bits: the backslash
  const half = literal(packed(`${huffman['-']}${'1111111111111111010'}${huffman['/']}`), 0x80);

  assert.deepEqual(patched(field(0x41, value)), field(0x41, half));
});

test('a truncated or nonsensical block is neither thrown over nor touched behind the flaw', () => {
  const endless = [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff];
  for (const block of [[0x41], [0x41, 0x05, 0x2f], [0x41, ...endless, 0x2f], [0x40, 0x0a, 0x3a], [0xff, ...endless]]) {
    assert.deepEqual([...patched(Buffer.from(block))], block);
  }
});

test('whatever the bytes are, nothing throws and no length changes; of a path only the slashes do', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const block = patched(Buffer.from(bytes));
    assert.equal(block.length, bytes.length);
  }), { numRuns: 2000 });

  const text = fc.string({ unit: fc.constantFrom(...Object.keys(huffman)), maxLength: 100 });
  fc.assert(fc.property(text, (value) => {
    if (encoded(value).length > 126) return;
    assert.deepEqual(patched(field(0x41, compressed(value))), field(0x41, compressed(value.replaceAll('/', '-'))));
  }), { numRuns: 1000 });
});
