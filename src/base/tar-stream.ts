/** Writes a tar of plain files (POSIX.1-2017 pax, "ustar Interchange Format"): what an image archive needs, and the same bytes for the same files. */
import { failure } from './errors.ts';

const blockSize = 512;
/** What eleven octal digits hold; beyond it the size is written in base 256, as GNU tar does. */
const largestOctal = 0o77777777777;

export interface TarFile {
  /** ASCII, at most 100 characters. */
  readonly name: string;
  readonly size: number;
  /** Permissions; 0644 when not said. */
  readonly mode?: number;
  /** Called when it is the file's turn. */
  readonly read: () => AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** A file that is in memory. */
export function fileOf(name: string, bytes: Buffer): TarFile {
  return { name, size: bytes.length, read: () => [bytes] };
}

/** Yields the tar, end marker included. A file that is not as long as it was said to be: internal, as nothing good can follow. */
export async function* tarStream(files: Iterable<TarFile>): AsyncGenerator<Buffer> {
  for (const file of files) {
    yield header(file);
    let length = 0;
    for await (const piece of file.read()) {
      length += piece.length;
      if (length > file.size) break;
      yield piece;
    }
    if (length !== file.size) throw failure('internal', { act: 'write image archive', object: file.name, why: `it has not the ${file.size} bytes that were announced` });
    if (file.size % blockSize !== 0) yield Buffer.alloc(blockSize - (file.size % blockSize));
  }
  yield Buffer.alloc(2 * blockSize);
}

function header({ name, size, mode = 0o644 }: TarFile): Buffer {
  const block = Buffer.alloc(blockSize);
  block.write(name, 0, 100, 'latin1');
  block.write(`${mode.toString(8).padStart(7, '0')}\x000000000\x000000000\0`, 100, 'latin1');
  writeSize(block, size);
  block.write('00000000000\0', 136, 'latin1'); // the epoch: the same images give the same archive
  block.write('        0', 148, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1');
  return block;
}

function writeSize(block: Buffer, size: number): void {
  if (size <= largestOctal) {
    block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
    return;
  }
  block[124] = 0x80;
  block.writeBigUInt64BE(BigInt(size), 128);
}
