/**
 * Header blocks of SPDY/3.1: names and values, compressed by one zlib stream for each direction of a connection that is flushed after each
 * block (draft-mbelshe-httpbis-spdy, sections 2.6.10 and 2.6.10.1).
 */
import { constants, inflateRawSync } from 'node:zlib';
import { failure } from '../../base/errors.ts';
import { dictionary, dictionaryId } from './dictionary.ts';

/** Names are lower case; several values of a name are one text with NULs between them. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Far above what a Kubernetes client sends: five short headers. */
const longestBlock = 16 << 10;
const mostHeaders = 64;
/** How far back the compression may refer (RFC 1951). */
const windowBytes = 32 << 10;
/** CMF and FLG with the bit for a dictionary, then the dictionary's id (RFC 1950). */
const zlibHeaderBytes = 6;
const flushed = Buffer.from([0, 0, 0xff, 0xff]);

function malformed(why: string, cause?: unknown) {
  return failure('invalid-argument', { act: 'read SPDY header block', why, ...(cause === undefined ? {} : { cause }) });
}

/**
 * Reads the header blocks of one connection, which must be given all and in order. A flush leaves nothing of a block behind but the window,
 * so each is inflated at once, on its own, with what came before as its dictionary. A malformed block is invalid-argument, and
 * so is everything after it.
 */
export class HeaderBlockReader {
  #window: Buffer | undefined;

  read(compressed: Buffer): SpdyHeaders {
    const first = this.#window === undefined;
    if (first) checkZlibHeader(compressed);
    const deflated = first ? compressed.subarray(zlibHeaderBytes) : compressed;
    if (!deflated.subarray(-4).equals(flushed)) throw malformed('it does not end with a flush of the compression');
    const window = this.#window ?? dictionary;
    const block = inflated(deflated, window);
    this.#window = Buffer.concat([window, block]).subarray(-windowBytes);
    return parseHeaders(block);
  }
}

function checkZlibHeader(compressed: Buffer): void {
  if (compressed.length < zlibHeaderBytes) throw malformed('the compression ends in its header');
  const isZlib = (compressed[0]! & 0x0f) === 8 && compressed.readUInt16BE(0) % 31 === 0;
  const hasDictionary = (compressed[1]! & 0x20) !== 0 && compressed.readUInt32BE(2) === dictionaryId;
  if (!isZlib || !hasDictionary) throw malformed('it is not compressed by zlib with the dictionary of SPDY/3');
}

function inflated(deflated: Buffer, window: Buffer): Buffer {
  try {
    return inflateRawSync(deflated, { dictionary: window, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: longestBlock });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw malformed(`it has more than ${longestBlock} bytes`);
    throw malformed('the compression is broken', error);
  }
}

function parseHeaders(block: Buffer): SpdyHeaders {
  const headers = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw malformed('it ends in the middle of a header');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > block.length - at) throw malformed('it ends in the middle of a header');
    at += length;
    return block.toString('utf8', at - length, at);
  };

  const count = number();
  if (count > mostHeaders) throw malformed(`it has ${count} headers, more than ${mostHeaders}`);
  for (let i = 0; i < count; i++) {
    const name = text();
    if (name === '' || name !== name.toLowerCase()) throw malformed(`a header is called ${JSON.stringify(name)}, and names are lower case`);
    if (headers.has(name)) throw malformed(`it has the header ${JSON.stringify(name)} twice`);
    headers.set(name, text());
  }
  if (at !== block.length) throw malformed('something follows its headers');
  return headers;
}

/** The first block of a connection says what it was primed with; 32 KiB of window, the dictionary, a sum that makes it a multiple of 31. */
const zlibHeader = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);

/** Writes the header blocks of one connection: as stored blocks (RFC 1951, section 3.2.4), for they are so short that nothing is gained by more. */
export class HeaderBlockWriter {
  #first = true;

  write(headers: SpdyHeaders): Buffer {
    const block = Buffer.concat([u32(headers.size), ...[...headers].flatMap(([name, value]) => [...prefixed(name), ...prefixed(value)])]);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(block.length, 1);
    stored.writeUInt16LE(~block.length & 0xffff, 3);
    const start = this.#first ? zlibHeader : Buffer.alloc(0);
    this.#first = false;
    return Buffer.concat([start, stored, block, Buffer.from([0]), flushed]);
  }
}

function prefixed(text: string): [Buffer, Buffer] {
  const bytes = Buffer.from(text, 'utf8');
  return [u32(bytes.length), bytes];
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
