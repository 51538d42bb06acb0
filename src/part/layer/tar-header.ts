/**
 * Tar headers as values: ustar and GNU headers (POSIX.1-2017 pax "ustar Interchange Format", GNU tar manual "Basic Tar
 * Format") and pax extended records. No side effects; everything that is out of range or not understood is refused.
 *
 * Names are *byte strings*: one character a byte (latin1), because a tar names files with arbitrary bytes.
 */
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import type { SparseMap } from './tar-sparse.ts';

export const blockSize = 512;

export type TarEntryType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/** A header that describes the next one instead of a file of its own. */
export type TarExtensionType = 'pax' | 'pax-global' | 'gnu-long-name' | 'gnu-long-link';

export interface TarTime {
  readonly seconds: number;
  /** 0 … 999 999 999 */
  readonly nanoseconds: number;
}

export interface TarEntry {
  readonly type: TarEntryType;
  /** Byte string, as the archive has it. */
  readonly name: string;
  /** Target of a hard or symbolic link, byte string. */
  readonly linkName: string;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TarTime;
  /** Bytes of content that follow; 0 for all but files. Of a sparse file that is less than its size. */
  readonly size: number;
  /** Where the content belongs; undefined for what is in one piece. */
  readonly sparse?: SparseMap | undefined;
  readonly major: number;
  readonly minor: number;
  /** Extended attributes by name (`SCHILY.xattr.` records); undefined when there are none. */
  readonly xattrs: ReadonlyMap<string, Buffer> | undefined;
}

/** What pax and GNU extension headers said about the entry that follows. */
export interface TarExtensions {
  readonly fields: ReadonlyMap<string, Buffer>;
  readonly longName: string | undefined;
  readonly longLink: string | undefined;
}

const entryTypes: Readonly<Record<string, TarEntryType>> = {
  '\0': 'file', '0': 'file', '7': 'file', S: 'file', '1': 'hardlink', '2': 'symlink', '3': 'char', '4': 'block', '5': 'directory', '6': 'fifo',
};

const extensionTypes: Readonly<Record<string, TarExtensionType>> = {
  x: 'pax', g: 'pax-global', L: 'gnu-long-name', K: 'gnu-long-link',
};

const xattrPrefix = 'SCHILY.xattr.';
/** What pax records say about the holes of a file (tar-sparse.ts). */
export const sparsePrefix = 'GNU.sparse.';
/** The form 0.0 repeats these for each piece; the form 0.1 has them joined. */
const sparsePair = [`${sparsePrefix}offset`, `${sparsePrefix}numbytes`];
const usedKeys = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'mtime']);
const largestId = 0xffff_fffe; // 2^32-1 means "no id" to the kernel

/** Makes the error for an archive that can't be unpacked: the image is at fault, so failed-precondition. */
export function badArchive(why: string, entry?: string): GantryError {
  return failure('failed-precondition', { act: 'read tar', ...(entry === undefined ? {} : { object: `entry ${quoteName(entry)}` }), why });
}

/** A byte string for an error message: as UTF-8, quoted, capped. */
export function quoteName(name: string): string {
  return JSON.stringify(Buffer.from(name.slice(0, 200), 'latin1').toString('utf8'));
}

/** True for a block of zeros: the end of the archive (two of them, but one is enough of a sign). */
export function isEndBlock(block: Buffer): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0);
}

/** Refuses a header whose checksum is wrong: what follows would not be tar. */
export function verifyChecksum(block: Buffer): void {
  let sum = 8 * 0x20; // the checksum field counts as spaces
  for (let i = 0; i < 148; i++) sum += block[i] ?? 0;
  for (let i = 156; i < blockSize; i++) sum += block[i] ?? 0;
  if (sum !== Number.parseInt(textAt(block, 148, 8), 8)) throw badArchive('header checksum is wrong: this is no tar archive, or it is damaged');
}

/** The extension type of a header, or undefined when it describes an entry. */
export function extensionType(block: Buffer): TarExtensionType | undefined {
  return extensionTypes[typeFlag(block)];
}

/** The content length that a header states, before pax records override it. */
export function statedSize(block: Buffer): number {
  return inRange(numberAt(block, 124, 12), Number.MAX_SAFE_INTEGER, 'size', textAt(block, 0, 100));
}

/** Reads one entry header together with the extensions that came before it. Whether it is a sparse file, openSparseMap says. */
export function parseEntry(block: Buffer, extensions: TarExtensions): TarEntry {
  const { fields } = extensions;
  const name = fieldText(fields, `${sparsePrefix}name`) ?? fieldText(fields, 'path') ?? extensions.longName ?? headerName(block);
  const flag = typeFlag(block);
  let type = entryTypes[flag];
  if (type === undefined) throw badArchive(`entry type ${JSON.stringify(flag)} is not supported`, name);
  if (type === 'file' && name.endsWith('/')) type = 'directory'; // how tars before ustar wrote directories
  if (name.includes('\0')) throw badArchive('the name holds a NUL byte', name);

  const size = type === 'file' ? fieldNumber(fields, 'size') ?? statedSize(block) : 0;
  return {
    type,
    name,
    linkName: fieldText(fields, 'linkpath') ?? extensions.longLink ?? textAt(block, 157, 100),
    mode: numberAt(block, 100, 8) & 0o7777,
    uid: inRange(fieldNumber(fields, 'uid') ?? numberAt(block, 108, 8), largestId, 'uid', name),
    gid: inRange(fieldNumber(fields, 'gid') ?? numberAt(block, 116, 8), largestId, 'gid', name),
    mtime: fieldTime(fields, 'mtime') ?? { seconds: numberAt(block, 136, 12), nanoseconds: 0 },
    size: inRange(size, Number.MAX_SAFE_INTEGER, 'size', name),
    major: type === 'char' || type === 'block' ? inRange(numberAt(block, 329, 8), 0xfff, 'device major', name) : 0,
    minor: type === 'char' || type === 'block' ? inRange(numberAt(block, 337, 8), 0xf_ffff, 'device minor', name) : 0,
    xattrs: xattrsOf(fields),
  };
}

/** Parses the records of a pax header (`length key=value\n` …) into `into`; a later record of a key wins, an empty one deletes it. */
export function parsePaxRecords(body: Buffer, into: Map<string, Buffer>): void {
  const sparse: string[] = [];
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const length = space < 0 ? NaN : Number(body.toString('latin1', at, space));
    const end = at + length;
    const equals = body.indexOf(0x3d, space);
    if (!Number.isInteger(length) || end > body.length || body[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw badArchive('a pax header is malformed');
    }
    const key = body.toString('utf8', space + 1, equals);
    const value = body.subarray(equals + 1, end - 1);
    if (key === sparsePair[sparse.length % 2]) sparse.push(value.toString('latin1'));
    else if (sparsePair.includes(key)) throw badArchive('the sparse map of a pax header is out of order');
    else if (value.length === 0 && !key.startsWith(xattrPrefix)) into.delete(key);
    else if (isUsed(key)) into.set(key, Buffer.from(value));
    at = end;
  }
  if (sparse.length > 0) into.set(`${sparsePrefix}map`, Buffer.from(sparse.join(',')));
}

/** Records of other keys (comments, access times, names of owners) mean nothing to us, and are not held. */
function isUsed(key: string): boolean {
  return usedKeys.has(key) || key.startsWith(xattrPrefix) || key.startsWith(sparsePrefix);
}

/** The byte string up to the first NUL. */
export function textAt(block: Buffer, offset: number, length: number): string {
  const end = block.subarray(offset, offset + length).indexOf(0);
  return block.toString('latin1', offset, end < 0 ? offset + length : offset + end);
}

export function typeFlag(block: Buffer): string {
  return String.fromCharCode(block[156] ?? 0);
}

function headerName(block: Buffer): string {
  const name = textAt(block, 0, 100);
  // GNU's own format ("ustar  ") keeps other things where ustar keeps the prefix.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textAt(block, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** A number of a header: octal text, or big-endian two's complement when the first bit is set (GNU "base-256"). */
export function numberAt(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = (first & 0x40) === 0 ? BigInt(first & 0x3f) : BigInt(first & 0x7f) - 0x80n;
    for (let i = 1; i < length; i++) value = value * 256n + BigInt(block[offset + i] ?? 0);
    return Number(value);
  }
  const text = textAt(block, offset, length).trim();
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw badArchive(`a header number is malformed: ${JSON.stringify(text)}`);
  return Number.parseInt(text, 8);
}

function inRange(value: number, most: number, what: string, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value > most) throw badArchive(`${what} ${value} is out of range`, name);
  return value;
}

function fieldText(fields: ReadonlyMap<string, Buffer>, key: string): string | undefined {
  return fields.get(key)?.toString('latin1');
}

function fieldNumber(fields: ReadonlyMap<string, Buffer>, key: string): number | undefined {
  const text = fieldText(fields, key);
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,16}$/.test(text)) throw badArchive(`pax ${key} is not a number: ${JSON.stringify(text.slice(0, 40))}`);
  return Number(text);
}

function fieldTime(fields: ReadonlyMap<string, Buffer>, key: string): TarTime | undefined {
  const text = fieldText(fields, key);
  if (text === undefined) return undefined;
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw badArchive(`pax ${key} is not a time: ${JSON.stringify(text.slice(0, 40))}`);
  const seconds = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] !== '-') return { seconds, nanoseconds };
  return nanoseconds === 0 ? { seconds: -seconds, nanoseconds } : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

function xattrsOf(fields: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> | undefined {
  let found: Map<string, Buffer> | undefined;
  for (const [key, value] of fields) {
    if (key.startsWith(xattrPrefix)) (found ??= new Map()).set(key.slice(xattrPrefix.length), value);
  }
  return found;
}
