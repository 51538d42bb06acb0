import { readFile } from 'node:fs/promises';
import { failure, hasCode } from '../../base/errors.ts';

/** A configuration file's text; undefined when it isn't there. One that can't be read is failed-precondition, naming `what` and the path. */
export async function readIfThere(path: string, what: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
    throw failure('failed-precondition', { act: `read ${what}`, object: path, cause });
  }
}
