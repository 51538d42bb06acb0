/** Where a saved archive goes: to stdout, into a file that is whole or not there, or into a directory as an OCI image layout. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { failure, hasCode } from '../../base/errors.ts';
import { write, type CliIo } from './io.ts';

const blockSize = 512;
/** What a layout has; nothing else is ever written, whatever the daemon sends. */
const layoutName = /^(?:oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64})$/;

/** Writes to stdout, which must be no terminal. */
export async function toStdout(io: CliIo, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of pieces) await write(io.stdout, piece);
}

/** Writes a file beside `file` and gives it that name when it is whole. A failure leaves what was there before. */
export async function toFile(file: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString('hex')}.partial`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      for await (const piece of pieces) await writeAll(handle, piece);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    const isOfDisk = error instanceof Error && 'syscall' in error;
    throw isOfDisk ? failure('failed-precondition', { act: 'write image archive', object: file, cause: error }) : error;
  }
}

/** Takes an archive apart into `directory`, which must be absent or empty. A failure leaves what was there before. */
export async function toDirectory(directory: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const present = await readdir(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (present !== undefined && present.length > 0) throw failure('failed-precondition', { act: 'write image layout', object: directory, why: 'the directory is not empty: name one that is, or a new one' });
  try {
    await mkdir(path.join(directory, 'blobs/sha256'), { recursive: true });
    await unpackLayout(directory, new ByteReader(pieces));
  } catch (error) {
    if (present === undefined) await rm(directory, { recursive: true, force: true });
    else for (const name of await readdir(directory)) await rm(path.join(directory, name), { recursive: true, force: true });
    throw error;
  }
}

async function unpackLayout(directory: string, bytes: ByteReader): Promise<void> {
  for (;;) {
    const header = Buffer.concat(await collect(bytes.take(blockSize)));
    if (header.every((byte) => byte === 0)) return await bytes.skipRest();
    const name = header.toString('latin1', 0, header.indexOf(0));
    const size = sizeOf(header);
    if (!layoutName.test(name)) throw failure('internal', { act: 'write image layout', object: JSON.stringify(name), why: 'the daemon sent what is no part of one' });
    const handle = await open(path.join(directory, name), 'wx');
    try {
      for await (const piece of bytes.take(size)) await writeAll(handle, piece);
    } finally {
      await handle.close();
    }
    await collect(bytes.take((blockSize - (size % blockSize)) % blockSize));
  }
}

/** The size in a header that base/tar-stream.ts wrote: octal, or base 256. */
function sizeOf(header: Buffer): number {
  return header[124] === 0x80 ? Number(header.readBigUInt64BE(128)) : Number.parseInt(header.toString('latin1', 124, 135), 8);
}

/** Takes exact lengths out of pieces of any length. */
class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  async *take(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) throw failure('unavailable', { act: 'write image layout', why: 'the daemon stopped in the middle' });
        this.#rest = Buffer.from(next.value);
      }
      const taken = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(taken.length);
      left -= taken.length;
      yield taken;
    }
  }

  /** Reads to the end: what goes wrong there must be heard. */
  async skipRest(): Promise<void> {
    while ((await this.#pieces.next()).done !== true);
  }
}

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += (await handle.write(bytes, written)).bytesWritten;
}
