import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hasCode } from '../base/errors.ts';
import { writeFileAtomic } from '../host/files.ts';

/** The key of this installation's ids: made at the first start, and beside the records, not in them, so that it outlives a lost database. */
export async function idKey(file: string): Promise<string> {
  try {
    const key = await readFile(file, 'latin1');
    if (key.length >= 64) return key;
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  const key = randomBytes(32).toString('hex');
  await writeFileAtomic(file, key);
  return key;
}
