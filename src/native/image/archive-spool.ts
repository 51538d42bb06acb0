/**
 * An image archive that arrives as a stream, kept until it has been read: its documents mostly come after what they describe. The tar is
 * inflated, indexed and written in one pass to a file without a name, which ends with its descriptor, also when the daemon is killed.
 */
import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDigest } from '../../base/digest.ts';
import type { Digest } from '../../base/digest.ts';
import { failure, hasCode } from '../../base/errors.ts';
import { largestDocument } from '../../part/content/content-store.ts';
import { ArchiveIndex, badArchive } from '../../part/archive/archive-index.ts';
import type { ArchivedFile } from '../../part/archive/archive-index.ts';
import { TarReader } from '../../part/layer/tar-reader.ts';
import { checkInflation } from '../../part/layer/unpack-limits.ts';
import type { UnpackLimits } from '../../part/layer/unpack-limits.ts';
import type { Store } from '../../part/store/store.ts';
import { inflateArchive } from './inflate-archive.ts';

export interface SpoolDeps {
  readonly store: Store;
  /** Where spool files are made, on the filesystem of the layers. */
  readonly spoolDirectory: string;
  readonly unpackLimits: UnpackLimits;
}

const ledgerKind = 'archive-spool';
const pieceBytes = 256 * 1024;

export class ArchiveSpool {
  readonly #file: FileHandle;
  readonly #index: ArchiveIndex;

  constructor(file: FileHandle, index: ArchiveIndex) {
    this.#file = file;
    this.#index = index;
  }

  /** The file of this name in the archive, links followed. */
  find(name: string): ArchivedFile | undefined {
    return this.#index.find(name);
  }

  /** As find; a file that is not there is failed-precondition, saying what it is needed as. */
  require(name: string, what: string): ArchivedFile {
    const file = this.#index.find(name);
    if (file === undefined) throw badArchive(`it is ${what}, and not in the archive`, name);
    return file;
  }

  async *read({ offset, size }: ArchivedFile): AsyncGenerator<Buffer> {
    for (let at = 0; at < size;) {
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, size - at));
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, offset + at);
      if (bytesRead === 0) throw failure('internal', { act: 'read spooled archive', why: 'its file ended early' });
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  /** A whole document in memory; one that is larger than any we keep is failed-precondition. */
  async document(name: string, what: string): Promise<Buffer> {
    const file = this.require(name, what);
    if (file.size > largestDocument) throw badArchive(`it is ${what} and has ${file.size} bytes, the limit is ${largestDocument}`, name);
    const pieces: Buffer[] = [];
    for await (const piece of this.read(file)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async digestOf(file: ArchivedFile, signal: AbortSignal): Promise<Digest> {
    const hash = createHash('sha256');
    for await (const piece of this.read(file)) {
      signal.throwIfAborted();
      hash.update(piece);
    }
    return parseDigest(`sha256:${hash.digest('hex')}`);
  }

  /** Frees the disk space. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

/**
 * Takes in a whole archive. Not a tar, cut short, or with something behind its end: failed-precondition; a full disk or an inflation beyond the
 * limits: resource-exhausted; what `bytes` throws comes through. Nothing is left then.
 */
export async function spoolArchive(deps: SpoolDeps, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ArchiveSpool> {
  const file = await openNameless(deps);
  try {
    const index = new ArchiveIndex();
    const tar = new TarReader(index);
    const received = { bytes: 0 };
    let position = 0;
    for await (const piece of inflateArchive(counted(bytes, received, signal))) {
      index.beginPiece(piece, position);
      refuseRest(piece.subarray(tar.push(piece)));
      await write(file, piece, position);
      position += piece.length;
      checkInflation(deps.unpackLimits, position, received.bytes);
    }
    tar.finish();
    if (position === 0) throw badArchive('it is empty');
    return new ArchiveSpool(file, index);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** After a crash: removes files that have not lost their names yet. */
export function recoverSpools({ store }: Pick<SpoolDeps, 'store'>): void {
  for (const row of store.ledger.rows()) {
    if (row.kind !== ledgerKind) continue;
    rmSync((row.data as { path: string }).path, { force: true });
    store.ledger.clear(row.seq);
  }
}

async function openNameless({ store, spoolDirectory }: SpoolDeps): Promise<FileHandle> {
  const path = join(spoolDirectory, `archive-${randomBytes(8).toString('hex')}`);
  const seq = store.ledger.intend('archive', ledgerKind, { path });
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  store.ledger.clear(seq);
  return file;
}

async function* counted(bytes: AsyncIterable<Uint8Array>, received: { bytes: number }, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    if (signal.aborted) throw failure('cancelled', { act: 'receive image archive' });
    received.bytes += piece.length;
    yield piece;
  }
}

/** Zeros may follow a tar's end, as much as one likes; anything else is a second archive, or damage, that would go unseen. */
function refuseRest(bytes: Buffer): void {
  if (bytes.some((byte) => byte !== 0)) throw badArchive('something follows its end: it is damaged, or two archives were joined');
}

async function write(file: FileHandle, piece: Buffer, position: number): Promise<void> {
  try {
    for (let written = 0; written < piece.length;) written += (await file.write(piece, written, piece.length - written, position + written)).bytesWritten;
  } catch (cause) {
    if (!hasCode(cause, 'ENOSPC') && !hasCode(cause, 'EDQUOT')) throw cause;
    throw failure('resource-exhausted', { act: 'receive image archive', why: `the disk is full after ${position} bytes of it: it takes its own size while it is loaded, besides what the image takes`, cause });
  }
}
