import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { inTime } from '../../host/in-time.ts';

/** Far more than any policy, key or signature has. */
const maxBytes = 1 << 20;

/** A small regular file, whole. Opened without blocking: a FIFO would wait for a writer. Errors: Node's, or one that says what is wrong with it. */
export async function readTrustFile(path: string): Promise<Buffer> {
  return await inTime(readWhole(path), { act: 'read', path });
}

async function readWhole(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
    if (stats.size > maxBytes) throw new Error(`${path} has ${stats.size} bytes, more than ${maxBytes}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
