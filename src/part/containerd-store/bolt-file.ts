/**
 * Reads a bolt database (the format of bbolt: a B+tree of pages, buckets within buckets), whole and into memory: those of containerd are small. It may
 * be in use. Its writer never overwrites what the last commit can reach, so a copy is whole when no commit came while it was taken.
 *
 * A page: id (8 bytes), flags (2), count (2), overflow (4: pages that follow and belong to it), then its elements. Little endian.
 */
import { open } from 'node:fs/promises';
import { failure, hasCode } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';

const magic = 0xed0cdaed;
const formatVersion = 2;
const pageHeader = 16;
const elementBytes = 16;
const bucketHeader = 16;
const branchFlag = 0x01;
const leafFlag = 0x02;
const bucketFlag = 0x01;
/** A tree of millions of keys is not as deep. */
const deepestTree = 32;
const mostTries = 20;
const largestPage = 65536;

/** What a bucket holds under its names. */
export interface BoltBucket {
  /** Undefined when there is no such bucket. */
  bucket(name: string): BoltBucket | undefined;
  value(name: string): Buffer | undefined;
  /** The names of its buckets, in the order of their bytes. */
  bucketNames(): string[];
}

interface Entry {
  readonly isBucket: boolean;
  readonly value: Buffer;
}

/** Opens a copy of the database as of its last commit. Not there: not-found. Damaged, or always being written to: failed-precondition. */
export async function readBoltFile(file: string): Promise<BoltBucket> {
  for (let tries = 0; tries < mostTries; tries++) {
    const [before, pages, after] = [await lastCommit(file), await read(file), await lastCommit(file)];
    if (before.commit === after.commit) return new Bucket({ file, pages, pageSize: after.pageSize }, after.root);
  }
  throw damaged(file, 'it is written to again and again while it is read: stop what uses it');
}

interface Database {
  readonly file: string;
  readonly pages: Buffer;
  readonly pageSize: number;
}

interface Commit {
  readonly commit: bigint;
  readonly pageSize: number;
  /** The page of the outermost bucket. */
  readonly root: bigint;
}

class Bucket implements BoltBucket {
  readonly #database: Database;
  readonly #entries = new Map<string, Entry>();

  constructor(database: Database, root: bigint, inline?: Buffer) {
    this.#database = database;
    try {
      if (inline === undefined) this.#readTree(root, 0);
      else this.#readLeaf(inline);
    } catch (error) {
      throw error instanceof RangeError ? damaged(database.file, `a page is shorter than it says: ${error.message}`) : error;
    }
  }

  bucket(name: string): BoltBucket | undefined {
    const entry = this.#entries.get(name);
    if (entry?.isBucket !== true) return undefined;
    if (entry.value.length < bucketHeader) throw damaged(this.#database.file, `the bucket ${name} has no beginning`);
    const root = entry.value.readBigUInt64LE(0);
    return new Bucket(this.#database, root, root === 0n ? entry.value.subarray(bucketHeader) : undefined);
  }

  value(name: string): Buffer | undefined {
    const entry = this.#entries.get(name);
    return entry?.isBucket === false ? entry.value : undefined;
  }

  bucketNames(): string[] {
    return [...this.#entries].filter(([, { isBucket }]) => isBucket).map(([name]) => name);
  }

  #readTree(id: bigint, depth: number): void {
    const page = this.#page(id);
    const flags = page.readUInt16LE(8);
    if (flags === leafFlag) return this.#readLeaf(page);
    if (flags !== branchFlag || depth > deepestTree) throw damaged(this.#database.file, `page ${id} is no part of a tree`);
    for (let n = 0; n < page.readUInt16LE(10); n++) this.#readTree(page.readBigUInt64LE(pageHeader + n * elementBytes + 8), depth + 1);
  }

  #readLeaf(page: Buffer): void {
    for (let n = 0; n < page.readUInt16LE(10); n++) {
      const at = pageHeader + n * elementBytes;
      const [flags, position, keySize, valueSize] = [0, 4, 8, 12].map((offset) => page.readUInt32LE(at + offset)) as [number, number, number, number];
      const value = at + position + keySize;
      if (value + valueSize > page.length) throw damaged(this.#database.file, 'an entry leads out of its page');
      this.#entries.set(page.toString('utf8', at + position, value), { isBucket: (flags & bucketFlag) !== 0, value: page.subarray(value, value + valueSize) });
    }
  }

  #page(id: bigint): Buffer {
    const { file, pages, pageSize } = this.#database;
    const start = Number(id) * pageSize;
    const overflow = start + pageHeader <= pages.length ? pages.readUInt32LE(start + 12) : 0;
    const end = start + (overflow + 1) * pageSize;
    if (end > pages.length) throw damaged(file, `it is cut short at page ${id}`);
    return pages.subarray(start, end);
  }
}

/** The later of the two pages that say where the tree begins; a commit writes them in turns. */
async function lastCommit(file: string): Promise<Commit> {
  const head = await read(file, largestPage * 2);
  // The second is one page behind the first, whatever a page is.
  const first = parseCommit(head, 0);
  const sizes = first === undefined ? [4096, 8192, 16384, 32768, largestPage] : [first.pageSize];
  const found = [first, ...sizes.map((size) => parseCommit(head, size))].filter((commit) => commit !== undefined);
  const [last] = found.toSorted((a, b) => (a.commit > b.commit ? -1 : 1));
  if (last === undefined) throw damaged(file, 'it is no bolt database');
  return last;
}

function parseCommit(head: Buffer, at: number): Commit | undefined {
  const meta = head.subarray(at + pageHeader, at + pageHeader + 64);
  if (meta.length < 64 || meta.readUInt32LE(0) !== magic || meta.readUInt32LE(4) !== formatVersion) return undefined;
  if (fnv1a(meta.subarray(0, 56)) !== meta.readBigUInt64LE(56)) return undefined;
  return { pageSize: meta.readUInt32LE(8), root: meta.readBigUInt64LE(16), commit: meta.readBigUInt64LE(48) };
}

/** The 64-bit checksum of a meta page. */
function fnv1a(bytes: Buffer): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

/** The file, or so many bytes of its beginning. */
async function read(file: string, length?: number): Promise<Buffer> {
  try {
    await using handle = await open(file);
    if (length === undefined) return await handle.readFile();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) throw failure('not-found', { act: "read containerd's database", object: file, why: 'it is not there', cause });
    throw cause;
  }
}

function damaged(file: string, why: string): GantryError {
  return failure('failed-precondition', { act: "read containerd's database", object: file, why });
}
