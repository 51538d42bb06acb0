/** The bytes of an archive to load: from a file, from stdin, or of a directory that is an OCI image layout, as a tar of it. */
import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { failure } from '../../base/errors.ts';
import { tarStream, type TarFile } from '../../base/tar-stream.ts';
import { UsageError } from './arguments.ts';
import type { CliIo } from './io.ts';

const pieceBytes = 256 * 1024;

/** `-` is stdin. What is not there, or is neither a file nor a layout, is told before anything is sent. */
export async function archiveBytes(source: string, io: CliIo): Promise<AsyncIterable<Uint8Array>> {
  if (source === '-') {
    if ((io.stdin as { isTTY?: boolean }).isTTY === true) throw new UsageError('no archive on stdin: name a file, or send one by a pipe');
    return io.stdin;
  }
  if (await isDirectory(source)) return tarStream(await layoutFiles(source));
  return createReadStream(source, { highWaterMark: pieceBytes });
}

async function isDirectory(source: string): Promise<boolean> {
  try {
    if ((await stat(source)).isDirectory()) return true;
    await (await open(source)).close(); // so that a file that may not be read is told now
    return false;
  } catch (cause) {
    throw failure('not-found', { act: 'read image archive', object: source, cause });
  }
}

async function layoutFiles(directory: string): Promise<TarFile[]> {
  const blobs = await readdir(path.join(directory, 'blobs/sha256')).catch(() => undefined);
  if (blobs === undefined) throw failure('invalid-argument', { act: 'load image', object: directory, why: 'this directory is no OCI image layout: it has no blobs/sha256' });
  const names = ['oci-layout', 'index.json', ...blobs.filter((name) => /^[0-9a-f]{64}$/.test(name)).sort().map((name) => `blobs/sha256/${name}`)];
  return await Promise.all(names.map(async (name) => {
    const file = path.join(directory, name);
    return { name, size: (await stat(file)).size, read: () => createReadStream(file, { highWaterMark: pieceBytes }) as AsyncIterable<Buffer> };
  }));
}
