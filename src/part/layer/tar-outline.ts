/**
 * The outline of a layer's tar: all its bytes but the files' contents, which the unpacked layer has. Outline and layer together give the
 * tar back byte for byte (rebuild-tar.ts), so that an image can be handed on under the same id. What only the tar says is thereby kept as
 * it was: headers, their order, padding, whiteouts, times that the filesystem rounds.
 *
 * Format: frames, each a 32-bit length and so many bytes of zstd data, a whole frame of its own. Inflated and joined they are a sequence of
 * records, all numbers little endian: a 32-bit length with bit 31 clear and so many bytes of the tar; or a 32-bit length with bit 31 set, the
 * name of a file of so many bytes, and a 64-bit length: here the tar has so many bytes, the content of that file. With bit 30 set too, the file has
 * holes, and after its size come a 32-bit number and so many pairs of a 64-bit offset and a 64-bit length: these pieces of it, joined. A record may begin
 * in one frame and end in another.
 */
import { writeSync } from 'node:fs';
import { constants, zstdCompressSync } from 'node:zlib';
import { failure, messageOf } from '../../base/errors.ts';
import { baseOf, normalName } from './entry-path.ts';
import { parseWhiteout } from './overlay-whiteouts.ts';
import type { TarEntry } from './tar-header.ts';
import type { TarSink } from './tar-reader.ts';
import { kindOfWriteError } from './tree-writer.ts';

/** Bytes of one frame before compression: large enough that names and headers are found again, small beside what a worker holds. */
export const outlineFrameBytes = 256 * 1024;

/** In a record's length: a file's name follows, not bytes of the tar. */
export const contentFlag = 0x8000_0000;
/** With contentFlag: the file has holes. */
export const sparseContentFlag = 0x4000_0000;

const speed = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/**
 * Stands between a TarReader and the sink that keeps the files, and writes the outline to a descriptor. Around each piece that the reader is
 * given, `beginPiece` and `endPiece` are to be called: what the reader handed on of the piece is content, the rest is outline.
 */
export class TarOutliner implements TarSink {
  readonly #sink: TarSink;
  readonly #descriptor: number;
  readonly #frame = Buffer.allocUnsafe(outlineFrameBytes);
  #filled = 0;
  #piece: Buffer = Buffer.alloc(0);
  /** Up to here the piece is accounted for. */
  #at = 0;
  /** The file whose content is expected, until its first byte comes. */
  #awaited: TarEntry | undefined;
  #isKept = false;

  constructor(sink: TarSink, descriptor: number) {
    this.#sink = sink;
    this.#descriptor = descriptor;
  }

  beginPiece(piece: Buffer): void {
    this.#piece = piece;
    this.#at = 0;
  }

  endPiece(): void {
    this.#tell(this.#piece.length);
  }

  begin(entry: TarEntry): void {
    this.#awaited = entry;
    this.#sink.begin(entry);
  }

  data(bytes: Buffer): void {
    if (this.#awaited !== undefined) this.#beginContent(this.#awaited, bytes);
    if (this.#isKept) this.#at = bytes.byteOffset - this.#piece.byteOffset + bytes.length;
    this.#sink.data(bytes);
  }

  end(): void {
    this.#sink.end();
  }

  /** Writes what is left. */
  finish(): void {
    this.#writeFrame();
  }

  /** The content of a whiteout is nowhere in the layer: it stays in the outline. */
  #beginContent(entry: TarEntry, first: Buffer): void {
    this.#awaited = undefined;
    const name = normalName(entry.name);
    this.#isKept = parseWhiteout(baseOf(name)) === undefined;
    if (!this.#isKept) return;
    this.#tell(first.byteOffset - this.#piece.byteOffset);
    const bytes = Buffer.from(name, 'latin1');
    const { sparse } = entry;
    this.#append(numberOf32((contentFlag | (sparse === undefined ? 0 : sparseContentFlag) | bytes.length) >>> 0));
    this.#append(bytes);
    this.#append(numberOf64(sparse?.size ?? entry.size));
    if (sparse === undefined) return;
    this.#append(numberOf32(sparse.extents.length));
    for (const { offset, length } of sparse.extents) {
      this.#append(numberOf64(offset));
      this.#append(numberOf64(length));
    }
  }

  /** Records the piece up to `end` as bytes of the tar. */
  #tell(end: number): void {
    if (end > this.#at) {
      this.#append(numberOf32(end - this.#at));
      this.#append(this.#piece.subarray(this.#at, end));
    }
    this.#at = end;
  }

  #append(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const copied = bytes.copy(this.#frame, this.#filled, at);
      this.#filled += copied;
      at += copied;
      if (this.#filled === this.#frame.length) this.#writeFrame();
    }
  }

  #writeFrame(): void {
    if (this.#filled === 0) return;
    const packed = zstdCompressSync(this.#frame.subarray(0, this.#filled), speed);
    const bytes = Buffer.concat([numberOf32(packed.length), packed]);
    this.#filled = 0;
    try {
      for (let written = 0; written < bytes.length;) written += writeSync(this.#descriptor, bytes, written);
    } catch (cause) {
      throw failure(kindOfWriteError(cause), { act: 'write the outline of the tar', why: messageOf(cause), cause });
    }
  }
}

function numberOf32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function numberOf64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
