/** Bytes to frames, with what a client may do wrong, and header blocks both ways. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import * as fc from 'fast-check';
import { GantryError } from '../../base/errors.ts';
import { dictionary, dictionaryId } from './dictionary.ts';
import { SpdyFrameDecoder } from './frame-decoder.ts';
import type { SpdyFrame } from './frame-decoder.ts';
import { HeaderBlockReader, HeaderBlockWriter } from './header-block.ts';
import { controlFrame, dataFrame, headerBlock, HeaderCompressor, types, words } from './spdy-client.fake.ts';

const decoded = (...chunks: readonly Buffer[]): SpdyFrame[] => {
  const decoder = new SpdyFrameDecoder();
  return chunks.flatMap((chunk) => [...decoder.decode(chunk)]);
};

test('the dictionary is the one that the protocol names by its sum', () => {
  let [a, b] = [1, 0];
  for (const byte of dictionary) [a, b] = [(a + byte) % 65_521, (a + byte + b) % 65_521];

  assert.equal(dictionary.length, 1423);
  assert.equal((b << 16 | a) >>> 0, dictionaryId);
});

test('frames come out as they went in, wherever the bytes are cut', async () => {
  const compressor = new HeaderCompressor();
  const syn = async (id: number, type: string) => controlFrame(types.synStream, 0, Buffer.concat([words(id, 0), Buffer.from([0, 0]), await compressor.compress(headerBlock({ streamtype: type, port: '80' }))]));
  const frames = [
    await syn(1, 'error'), await syn(3, 'data'), dataFrame(3, Buffer.from('hello')), dataFrame(3, Buffer.alloc(0), true),
    controlFrame(types.ping, 0, words(7)), controlFrame(types.rst, 0, words(1, 5)), controlFrame(types.goaway, 0, words(3, 0)),
    controlFrame(types.window, 0, words(3, 0xffffffff)), controlFrame(types.settings, 0, words(0)),
    controlFrame(types.headers, 1, Buffer.concat([words(3), await compressor.compress(headerBlock({ more: 'x' }))])), await syn(5, 'error'),
  ];
  const bytes = Buffer.concat(frames);
  const plain = (all: readonly SpdyFrame[]) => {
    const joined: object[] = [];
    for (const frame of all) {
      const last = joined.at(-1) as { type: string; bytes: string; fin: boolean; stream: number } | undefined;
      if (frame.type !== 'data') joined.push('headers' in frame ? { ...frame, headers: Object.fromEntries(frame.headers) } : frame);
      else if (last?.type === 'data' && last.bytes !== '' && last.bytes.length < 5) Object.assign(last, { bytes: last.bytes + frame.bytes.toString() });
      else joined.push({ ...frame, bytes: frame.bytes.toString() });
    }
    return joined;
  };

  const whole = plain(decoded(bytes));
  assert.deepEqual(whole.slice(0, 5), [
    { type: 'syn-stream', stream: 1, fin: false, headers: { streamtype: 'error', port: '80' } }, { type: 'syn-stream', stream: 3, fin: false, headers: { streamtype: 'data', port: '80' } },
    { type: 'data', stream: 3, fin: false, bytes: 'hello' }, { type: 'data', stream: 3, fin: true, bytes: '' }, { type: 'ping', id: 7 },
  ]);
  assert.deepEqual(whole.slice(5), [
    { type: 'rst-stream', stream: 1, status: 5 }, { type: 'goaway', lastStream: 3 }, { type: 'window-update', stream: 3, delta: 0x7fffffff }, { type: 'settings' },
    { type: 'headers', stream: 3, fin: true, headers: { more: 'x' } }, { type: 'syn-stream', stream: 5, fin: false, headers: { streamtype: 'error', port: '80' } },
  ]);
  assert.deepEqual(plain(decoded(...Array.from(bytes, (byte) => Buffer.from([byte])))), whole, 'byte for byte');
  fc.assert(fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
    const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
    assert.deepEqual(plain(decoded(...at.slice(1).map((end, i) => bytes.subarray(at[i], end)))), whole);
  }), { numRuns: 100 });
});

const block = zlib.deflateSync(headerBlock({ streamtype: 'error' }), { dictionary, finishFlush: zlib.constants.Z_SYNC_FLUSH });
const syn = (compressed: Buffer): Buffer => controlFrame(types.synStream, 0, Buffer.concat([words(1, 0), Buffer.from([0, 0]), compressed]));
const withBlock = (raw: Buffer): Buffer => syn(zlib.deflateSync(raw, { dictionary, finishFlush: zlib.constants.Z_SYNC_FLUSH }));

const malformed: readonly (readonly [string, Buffer, string])[] = [
  ['another version', controlFrame(types.ping, 0, words(1), 2), 'read SPDY frame: version 2, where SPDY/3.1 has 3'],
  ['an unknown control frame', controlFrame(5, 0, words(1)), 'read SPDY frame: there is no control frame of type 5'],
  ['a control frame that is too short', controlFrame(types.rst, 0, words(1)), 'read SPDY frame: a control frame with 4 bytes, where it has at least 8'],
  ['an empty control frame', controlFrame(types.ping, 0, Buffer.alloc(0)), 'read SPDY frame: a control frame with 0 bytes, where it has at least 4'],
  ['a control frame that is too long, by its first bytes', controlFrame(types.headers, 0, Buffer.alloc((16 << 10) + 1)).subarray(0, 8), 'read SPDY frame: a control frame of 16385 bytes, more than 16384'],
  ['data for stream 0', dataFrame(0, Buffer.from('x')), 'read SPDY frame: data for stream 0, which there never is'],
  ['stream 0', controlFrame(types.rst, 0, words(0, 1)), 'read SPDY frame: a frame for stream 0, which there never is'],
  ['headers that are not compressed', syn(headerBlock({ streamtype: 'error' })), 'read SPDY header block: it is not compressed by zlib with the dictionary of SPDY/3'],
  ['no headers', syn(Buffer.alloc(0)), 'read SPDY header block: the compression ends in its header'],
  ['compression without the dictionary', syn(zlib.deflateSync(headerBlock({ a: 'b' }), { finishFlush: zlib.constants.Z_SYNC_FLUSH })), 'read SPDY header block: it is not compressed by zlib with the dictionary of SPDY/3'],
  ['compression with another dictionary', syn(zlib.deflateSync(headerBlock({ a: 'b' }), { dictionary: Buffer.from('other'), finishFlush: zlib.constants.Z_SYNC_FLUSH })), 'read SPDY header block: it is not compressed by zlib with the dictionary of SPDY/3'],
  ['a block that is not flushed', syn(block.subarray(0, -1)), 'read SPDY header block: it does not end with a flush of the compression'],
  ['broken compression', syn(Buffer.concat([block.subarray(0, 6), Buffer.from([0xff, 0xff, 0xff, 0, 0, 0xff, 0xff])])), 'read SPDY header block: the compression is broken'],
  ['a bomb', withBlock(headerBlock({ a: 'x'.repeat(1_000_000) })), 'read SPDY header block: it has more than 16384 bytes'],
  ['too many headers', withBlock(headerBlock(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, ''])))), 'read SPDY header block: it has 65 headers, more than 64'],
  ['a count that is not true', withBlock(words(2, 1)), 'read SPDY header block: it ends in the middle of a header'],
  ['a length that is not true', withBlock(words(1, 0xffffffff)), 'read SPDY header block: it ends in the middle of a header'],
  ['an upper-case name', withBlock(headerBlock({ StreamType: 'error' })), 'read SPDY header block: a header is called "StreamType", and names are lower case'],
  ['an empty name', withBlock(headerBlock({ '': 'error' })), 'read SPDY header block: a header is called "", and names are lower case'],
  ['a name twice', withBlock(Buffer.concat([words(2), headerBlock({ a: 'b' }).subarray(4), headerBlock({ a: 'b' }).subarray(4)])), 'read SPDY header block: it has the header "a" twice'],
  ['something behind the headers', withBlock(Buffer.concat([headerBlock({ a: 'b' }), Buffer.from('x')])), 'read SPDY header block: something follows its headers'],
];

test('what is malformed is refused with what is wrong with it', () => {
  for (const [what, bytes, message] of malformed) assert.throws(() => decoded(bytes), { kind: 'invalid-argument', message: new RegExp(`^${message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`) } as never, what);
});

test('what came before it is still told', () => {
  const frames: SpdyFrame[] = [];

  assert.throws(() => {
    for (const frame of new SpdyFrameDecoder().decode(Buffer.concat([controlFrame(types.ping, 0, words(1)), controlFrame(5, 0, words(1))]))) frames.push(frame);
  });
  assert.deepEqual(frames, [{ type: 'ping', id: 1 }]);
});

test('anything at all is frames or a refusal of ours, and no more is held than one control frame', () => {
  const control = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.nat(255), fc.uint8Array({ maxLength: 40 })).map(([type, flags, body]) => controlFrame(type, flags, Buffer.from(body)));
  const data = fc.tuple(fc.nat(5), fc.uint8Array({ maxLength: 40 }), fc.boolean()).map(([stream, body, fin]) => dataFrame(stream, Buffer.from(body), fin));
  const headers = fc.tuple(fc.uint8Array({ maxLength: 60 }), fc.boolean()).map(([raw, flushed]) => (flushed ? withBlock(Buffer.from(raw)) : syn(Buffer.concat([block, Buffer.from(raw), Buffer.from([0, 0, 0xff, 0xff])]))));
  const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));

  fc.assert(fc.property(fc.array(fc.oneof(control, data, headers, noise), { maxLength: 8 }), (chunks) => {
    try {
      decoded(...chunks);
    } catch (error) {
      assert.ok(error instanceof GantryError && error.kind === 'invalid-argument', String(error));
    }
  }), { numRuns: 2000 });
});

test('header blocks that we write are read, by ourselves and by any zlib', () => {
  fc.assert(fc.property(fc.array(fc.dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), fc.string({ maxLength: 40, unit: 'grapheme' }), { maxKeys: 6 }), { minLength: 1, maxLength: 5 }), (blocks) => {
    const [writer, reader] = [new HeaderBlockWriter(), new HeaderBlockReader()];
    const written = blocks.map((headers) => writer.write(new Map(Object.entries(headers))));

    written.forEach((bytes, i) => assert.deepEqual(reader.read(bytes), new Map(Object.entries(blocks[i]!))));
    const inflated = zlib.inflateSync(Buffer.concat(written), { dictionary, finishFlush: zlib.constants.Z_SYNC_FLUSH });
    assert.ok(inflated.equals(Buffer.concat(blocks.map(headerBlock))));
  }), { numRuns: 100 });
});

test('blocks refer back as far as compression does, over hundreds of them', async () => {
  const [compressor, reader] = [new HeaderCompressor(), new HeaderBlockReader()];

  for (let i = 0; i < 500; i++) {
    const headers = { streamtype: i % 2 === 0 ? 'error' : 'data', port: String(8000 + (i % 7)), requestid: String(i), padding: 'abcdefgh'.repeat(i % 50) };
    assert.deepEqual(Object.fromEntries(reader.read(await compressor.compress(headerBlock(headers)))), headers);
  }
});
