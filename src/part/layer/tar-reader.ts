/** Reads a tar archive that arrives in pieces of any size and tells a sink what is in it. */
import { badArchive, blockSize, extensionType, isEndBlock, parseEntry, parsePaxRecords, statedSize, textAt, verifyChecksum } from './tar-header.ts';
import type { TarEntry, TarExtensionType } from './tar-header.ts';
import { openSparseMap } from './tar-sparse.ts';
import type { SparseMapReader } from './tar-sparse.ts';

export interface TarSink {
  /** A new entry; `size` bytes of content follow, then `end`. */
  begin(entry: TarEntry): void;
  /** A piece of the entry's content: a view into what was pushed, valid during the call only. */
  data(bytes: Buffer): void;
  /** The entry is complete. */
  end(): void;
}

/** Pax and GNU extensions of one entry, or for all entries, that are larger together than this are refused: they are held in memory. */
const largestExtension = 1 << 20;

interface Extension {
  readonly type: TarExtensionType;
  readonly parts: Buffer[];
}

export class TarReader {
  readonly #sink: TarSink;
  readonly #partialBlock = Buffer.alloc(blockSize);
  #partialLength = 0;
  #contentLeft = 0;
  #paddingLeft = 0;
  #inEntry = false;
  /** A file whose map of holes is not whole yet. */
  #sparse: { readonly entry: TarEntry; readonly reader: SparseMapReader } | undefined;
  #ended = false;
  #extension: Extension | undefined;
  /** Bytes of the extensions that are held for the next entry, and of those for all. */
  #held = 0;
  #heldForAll = 0;
  #globalFields = new Map<string, Buffer>();
  #fields = new Map<string, Buffer>();
  #longName: string | undefined;
  #longLink: string | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes of the archive, and tells how many of them it looked at: what follows the end marker is ignored. */
  push(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && !this.#ended) {
      if (this.#contentLeft > 0) at += this.#takeContent(bytes.subarray(at, at + this.#contentLeft));
      else if (this.#paddingLeft > 0) at += this.#takePadding(bytes.length - at);
      else at += this.#takeHeader(bytes.subarray(at, at + blockSize));
    }
    return at;
  }

  /** No more bytes come. An archive that stops within a header or a file is refused; a missing end marker is tolerated. */
  finish(): void {
    if (this.#ended) return;
    if (this.#contentLeft > 0 || this.#partialLength > 0 || this.#sparse !== undefined) throw badArchive('the archive is cut short');
  }

  #takeContent(bytes: Buffer): number {
    if (this.#extension === undefined) this.#sink.data(bytes);
    else this.#extension.parts.push(Buffer.from(bytes));
    this.#contentLeft -= bytes.length;
    if (this.#contentLeft === 0) this.#endContent();
    return bytes.length;
  }

  #takePadding(available: number): number {
    const taken = Math.min(available, this.#paddingLeft);
    this.#paddingLeft -= taken;
    return taken;
  }

  #takeHeader(bytes: Buffer): number {
    if (this.#partialLength === 0 && bytes.length === blockSize) {
      this.#header(bytes);
      return blockSize;
    }
    const wanted = Math.min(bytes.length, blockSize - this.#partialLength);
    bytes.copy(this.#partialBlock, this.#partialLength, 0, wanted);
    this.#partialLength += wanted;
    if (this.#partialLength === blockSize) {
      this.#partialLength = 0;
      this.#header(this.#partialBlock);
    }
    return wanted;
  }

  #header(block: Buffer): void {
    if (this.#sparse !== undefined) {
      this.#sparse.reader.take(block);
      this.#beginSparse(this.#sparse);
      return;
    }
    if (isEndBlock(block)) {
      this.#ended = true;
      return;
    }
    verifyChecksum(block);
    const type = extensionType(block);
    if (type !== undefined) {
      const size = statedSize(block);
      this.#hold(type, size);
      this.#extension = { type, parts: [] };
      this.#expect(size);
      return;
    }
    const fields = this.#entryFields();
    const entry = parseEntry(block, { fields, longName: this.#longName, longLink: this.#longLink });
    this.#fields = new Map();
    this.#longName = this.#longLink = undefined;
    this.#held = 0;
    const reader = openSparseMap({ block, fields, type: entry.type, name: entry.name, stored: entry.size });
    if (reader === undefined) this.#begin(entry);
    else this.#beginSparse({ entry, reader });
  }

  #begin(entry: TarEntry): void {
    this.#inEntry = true;
    this.#sink.begin(entry);
    this.#expect(entry.size);
  }

  #hold(type: TarExtensionType, size: number): void {
    const held = type === 'pax-global' ? this.#heldForAll += size : this.#held += size;
    if (held > largestExtension) throw badArchive(`extended headers of ${held} bytes are larger than the limit of ${largestExtension}`);
  }

  /** Begins a file with holes once all of its map is there. */
  #beginSparse(file: { entry: TarEntry; reader: SparseMapReader }): void {
    this.#sparse = file.reader.isWhole ? undefined : file;
    if (file.reader.isWhole) this.#begin({ ...file.entry, size: file.entry.size - file.reader.taken, sparse: file.reader.map() });
  }

  #entryFields(): ReadonlyMap<string, Buffer> {
    return this.#globalFields.size === 0 ? this.#fields : new Map([...this.#globalFields, ...this.#fields]);
  }

  #expect(size: number): void {
    this.#contentLeft = size;
    this.#paddingLeft = (blockSize - (size % blockSize)) % blockSize;
    if (size === 0) this.#endContent();
  }

  #endContent(): void {
    if (this.#extension !== undefined) this.#endExtension(this.#extension);
    else if (this.#inEntry) this.#sink.end();
    this.#extension = undefined;
    this.#inEntry = false;
  }

  #endExtension({ type, parts }: Extension): void {
    const body = Buffer.concat(parts);
    switch (type) {
      case 'pax':
        parsePaxRecords(body, this.#fields);
        break;
      case 'pax-global':
        parsePaxRecords(body, this.#globalFields);
        break;
      case 'gnu-long-name':
        this.#longName = textAt(body, 0, body.length);
        break;
      case 'gnu-long-link':
        this.#longLink = textAt(body, 0, body.length);
        break;
    }
  }
}
