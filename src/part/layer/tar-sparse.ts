/**
 * Sparse files in tars: a map says where in the file the bytes belong that the archive has, the rest are holes. Four forms, all of GNU tar
 * (its manual, "Storing Sparse Files"): the old one with type `S`, whose map is in the header and in blocks behind it; pax 0.0 and 0.1, whose map is in
 * pax records; pax 1.0, whose map is text before the content.
 */
import { badArchive, blockSize, numberAt, sparsePrefix, textAt, typeFlag } from './tar-header.ts';
import type { TarEntryType } from './tar-header.ts';

/** A run of bytes that the archive has. */
export interface SparseExtent {
  readonly offset: number;
  readonly length: number;
}

export interface SparseMap {
  /** Of the file with its holes, in bytes. */
  readonly size: number;
  /** One behind the other, none overlapping another, none empty, none beyond the size. */
  readonly extents: readonly SparseExtent[];
}

/** What a map is read from: an entry's header, the pax records for it, and how many bytes of the archive are the entry's. */
export interface SparseSource {
  readonly block: Buffer;
  readonly fields: ReadonlyMap<string, Buffer>;
  readonly type: TarEntryType;
  readonly name: string;
  readonly stored: number;
}

/** A file with more pieces than this is refused: the map is held in memory. */
const mostExtents = 1 << 18;
/** The text of a pax 1.0 map. */
const largestMap = 1 << 20;

/** Where the old form has its pieces, four in the header and 21 in each further block, and the byte that says that one more block follows. */
const inHeader = { at: 386, pieces: 4, more: 482 };
const inExtension = { at: 0, pieces: 21, more: 504 };
const realSizeAt = 483;

/** Begins to read the map of a file; undefined for a file without one. A form that nobody knows is refused. */
export function openSparseMap(source: SparseSource): SparseMapReader | undefined {
  if (typeFlag(source.block) === 'S') return new OldGnuMap(source);
  if (source.fields.size === 0 || ![...source.fields.keys()].some((key) => key.startsWith(sparsePrefix))) return undefined;
  if (source.type !== 'file') throw badArchive(`it is a ${source.type}, and is said to be a sparse file`, source.name);
  const version = `${textOf(source.fields, 'major') ?? '0'}.${textOf(source.fields, 'minor') ?? (source.fields.has(`${sparsePrefix}map`) ? '1' : '0')}`;
  if (version === '1.0') return new TextMap(source);
  if (version === '0.0' || version === '0.1') return new RecordsMap(source);
  throw badArchive(`it is a sparse file of the unknown format ${JSON.stringify(version.slice(0, 40))}`, source.name);
}

/** While `isWhole` is false, the archive's next block belongs to the map. */
export interface SparseMapReader {
  readonly isWhole: boolean;
  /** Bytes of the entry that were map and not content. */
  readonly taken: number;
  take(block: Buffer): void;
  /** The map; one that cannot be true is refused. */
  map(): SparseMap;
}

class OldGnuMap implements SparseMapReader {
  readonly taken = 0; // its blocks are no part of the entry's size
  readonly #source: SparseSource;
  readonly #size: number;
  readonly #numbers: number[] = [];
  isWhole = false;

  constructor(source: SparseSource) {
    this.#source = source;
    if (source.block.toString('latin1', 257, 265) !== 'ustar  \0') throw badArchive('it is a sparse file, and its header is not of GNU tar', source.name);
    this.#size = numberAt(source.block, realSizeAt, 12);
    this.#read(source.block, inHeader);
  }

  take(block: Buffer): void {
    this.#read(block, inExtension);
  }

  map(): SparseMap {
    return checkedMap(this.#source, { size: this.#size, numbers: this.#numbers, stored: this.#source.stored });
  }

  #read(block: Buffer, { at, pieces, more }: typeof inHeader): void {
    for (let piece = at; piece < at + pieces * 24 && !isUnused(block, piece); piece += 24) {
      this.#numbers.push(numberAt(block, piece, 12), numberAt(block, piece + 12, 12));
    }
    checkCount(this.#numbers.length / 2, this.#source.name);
    this.isWhole = block[more] === 0;
  }
}

/** Pieces that are not used are zeros. */
function isUnused(block: Buffer, at: number): boolean {
  return textAt(block, at, 12) === '' && textAt(block, at + 12, 12) === '' && (block[at]! | block[at + 12]!) === 0;
}

/** pax 0.0 and 0.1: all records are there before the entry. */
class RecordsMap implements SparseMapReader {
  readonly isWhole = true;
  readonly taken = 0;
  readonly #source: SparseSource;

  constructor(source: SparseSource) {
    this.#source = source;
  }

  take(): never {
    throw new Error('a map in pax records has no blocks');
  }

  map(): SparseMap {
    const { fields, name, stored } = this.#source;
    const text = textOf(fields, 'map') ?? '';
    const numbers = text === '' ? [] : text.split(',').map((number) => decimal(number, name));
    const count = decimal(textOf(fields, 'numblocks') ?? '', name);
    if (numbers.length !== 2 * count) throw badArchive(`its sparse map says ${count} pieces and has ${numbers.length / 2}`, name);
    checkCount(count, name);
    return checkedMap(this.#source, { size: realSize(this.#source), numbers, stored });
  }
}

/** pax 1.0: lines of decimal numbers, first how many pieces, padded to whole blocks. */
class TextMap implements SparseMapReader {
  readonly #source: SparseSource;
  readonly #numbers: number[] = [];
  #count: number | undefined;
  #line = '';
  isWhole = false;
  taken = 0;

  constructor(source: SparseSource) {
    this.#source = source;
    if (source.stored < blockSize) throw badArchive('it is a sparse file without its map', source.name);
  }

  take(block: Buffer): void {
    const { name, stored } = this.#source;
    this.taken += blockSize;
    const lines = (this.#line + block.toString('latin1')).split('\n');
    this.#line = lines.pop()!; // the rest of it is in the next block
    for (const line of lines) this.#number(line);
    if (this.isWhole) return;
    if (this.taken >= largestMap || this.#line.length > blockSize) throw badArchive(`its sparse map is larger than the limit of ${largestMap} bytes`, name);
    if (this.taken + blockSize > stored) throw badArchive('its sparse map is cut short', name);
  }

  map(): SparseMap {
    return checkedMap(this.#source, { size: realSize(this.#source), numbers: this.#numbers, stored: this.#source.stored - this.taken });
  }

  #number(text: string): void {
    if (this.isWhole) return; // what pads the block
    const value = decimal(text, this.#source.name);
    if (this.#count === undefined) checkCount((this.#count = value), this.#source.name);
    else this.#numbers.push(value);
    this.isWhole = this.#numbers.length === 2 * this.#count;
  }
}

function realSize({ fields, name }: SparseSource): number {
  return decimal(textOf(fields, 'realsize') ?? textOf(fields, 'size') ?? '', name);
}

function textOf(fields: ReadonlyMap<string, Buffer>, key: string): string | undefined {
  return fields.get(`${sparsePrefix}${key}`)?.toString('latin1');
}

function decimal(text: string, name: string): number {
  if (!/^[0-9]{1,16}$/.test(text)) throw badArchive(`a number of its sparse map is missing or malformed: ${JSON.stringify(text.slice(0, 40))}`, name);
  return Number(text);
}

function checkCount(count: number, name: string): void {
  if (count > mostExtents) throw badArchive(`its sparse map has ${count} pieces, the limit is ${mostExtents}`, name);
}

/** A map must be in order, within the file, and about all bytes that the archive has of it and no others. */
function checkedMap({ name }: SparseSource, { size, numbers, stored }: { size: number; numbers: readonly number[]; stored: number }): SparseMap {
  const refuse = (why: string): Error => badArchive(`its sparse map cannot be true: ${why}`, name);
  if (![size, ...numbers].every((number) => Number.isSafeInteger(number) && number >= 0)) throw refuse('a number is out of range');
  const extents: SparseExtent[] = [];
  let end = 0;
  let total = 0;
  for (let at = 0; at < numbers.length; at += 2) {
    const [offset, length] = [numbers[at]!, numbers[at + 1]!];
    if (offset < end) throw refuse(`the piece at ${offset} begins before the end of the one before it, ${end}`);
    end = offset + length;
    if (end > size) throw refuse(`the piece at ${offset} ends at ${end}, behind the end of the file, ${size}`);
    total += length;
    if (length > 0) extents.push({ offset, length });
  }
  if (total !== stored) throw refuse(`it is about ${total} bytes, and the archive has ${stored}`);
  return { size, extents };
}
