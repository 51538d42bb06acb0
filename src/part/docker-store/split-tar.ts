/**
 * The tar of a layer that Docker took in. Docker throws the tar away and keeps how to put it together again: `tar-split.json.gz` is gzip over lines of
 * JSON, each either bytes of the tar (`type` 2, base64 in `payload`) or a file whose content comes here (`type` 1: `name`, or `name_raw` in base64, and `size`).
 */
import { closeSync, createReadStream, fstatSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { GantryError, messageOf } from '../../base/errors.ts';
import { openFileBeneath } from '../../host/beneath.ts';
import { readExtents } from '../../host/read-extents.ts';
import { damagedStore } from './damaged-store.ts';

export interface SplitTar {
  /** `tar-split.json.gz` */
  readonly pieces: string;
  /** The unpacked layer. */
  readonly directory: string;
}

type Piece = { readonly bytes: Buffer } | { readonly name: Buffer; readonly size: number };

const fileType = 1;
const bytesType = 2;
/** Docker writes headers and padding piece by piece, a few KiB a line. */
const longestLine = 64 << 20;

/** Bytes of the whole tar, from its pieces alone. Errors: those of readSplitTar, but for the files. */
export async function measureSplitTar({ pieces }: SplitTar): Promise<number> {
  let size = 0;
  for await (const piece of readPieces(pieces)) size += 'bytes' in piece ? piece.bytes.length : piece.size;
  return size;
}

/** The tar; whether it is the one that it was, its digest tells. Damaged, or without a file that it had: failed-precondition. */
export async function* readSplitTar({ pieces, directory }: SplitTar): AsyncGenerator<Buffer> {
  for await (const piece of readPieces(pieces)) {
    if ('bytes' in piece) yield piece.bytes;
    else if (piece.size > 0) yield* contentOf(directory, piece);
  }
}

async function* contentOf(directory: string, { name, size }: { name: Buffer; size: number }): AsyncGenerator<Buffer> {
  const descriptor = openFileBeneath(directory, name);
  const shown = `${directory}: ${JSON.stringify(name.toString('latin1').slice(0, 200))}`;
  if (descriptor === undefined) throw damagedStore(shown, 'the layer had this file, and it is gone');
  try {
    if (fstatSync(descriptor).size !== size) throw damagedStore(shown, `the layer's tar has ${size} bytes of it, the file is of another size`);
    yield* readExtents(descriptor, [{ offset: 0, length: size }]);
  } finally {
    closeSync(descriptor);
  }
}

async function* readPieces(file: string): AsyncGenerator<Piece> {
  const packed = createReadStream(file);
  const inflated = createGunzip();
  packed.on('error', (error) => inflated.destroy(error)).pipe(inflated);
  let rest = '';
  try {
    for await (const chunk of inflated.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      if (rest.length > longestLine) throw damagedStore(file, 'a line has no end');
      for (const line of lines) if (line !== '') yield parsePiece(line, file);
    }
  } catch (error) {
    throw error instanceof GantryError ? error : damagedStore(file, messageOf(error));
  } finally {
    packed.destroy();
  }
  if (rest !== '') yield parsePiece(rest, file);
}

function parsePiece(line: string, file: string): Piece {
  let entry: { type?: unknown; name?: unknown; name_raw?: unknown; size?: unknown; payload?: unknown } | null;
  try {
    entry = JSON.parse(line);
  } catch {
    entry = null;
  }
  if (entry?.type === bytesType && typeof entry.payload === 'string') return { bytes: Buffer.from(entry.payload, 'base64') };
  if (entry?.type === fileType) {
    const { name, name_raw: raw, size = 0 } = entry;
    const bytes = typeof raw === 'string' ? Buffer.from(raw, 'base64') : typeof name === 'string' ? Buffer.from(name) : undefined;
    if (bytes !== undefined && typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return { name: bytes, size };
  }
  throw damagedStore(file, `a line is not what Docker writes there: ${line.slice(0, 100)}`);
}
