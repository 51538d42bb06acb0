import { during, failure, GantryError, hasCode } from '../../base/errors.ts';
import { fencedFiles } from '../../host/fenced-files.ts';

/** More than any such file has: one of credentials for thousands of registries. */
const maxBytes = 16 << 20;

/** A configuration file's text; undefined when it isn't there. One that can't be read is failed-precondition, naming `what` and the path. */
export async function readIfThere(path: string, what: string): Promise<string | undefined> {
  try {
    return (await fencedFiles.read(path, maxBytes)).toString('utf8');
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
    if (cause instanceof GantryError) throw during(cause, { act: `read ${what}`, object: path });
    throw failure('failed-precondition', { act: `read ${what}`, object: path, cause });
  }
}
