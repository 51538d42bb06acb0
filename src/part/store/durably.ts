import { failure } from '../../base/errors.ts';
import { atPointNow } from '../../base/faults.ts';

/** SQLite's result codes (sqlite3.h) that have a remedy. */
const SQLITE_FULL = 13;

/** Does one write to the store, which is a fault point of this name. A full disk is resource-exhausted, any other refusal of SQLite internal; both name the file. */
export function durably<T>({ path, name }: { path: string; name: string }, write: () => T): T {
  try {
    return atPointNow(`store/${name}`, write);
  } catch (cause) {
    if (!(cause instanceof Error) || !('errcode' in cause)) throw cause;
    if (cause.errcode === SQLITE_FULL) throw failure('resource-exhausted', { act: 'write to store', object: path, why: 'its disk is full: make room there', cause });
    throw failure('internal', { act: 'write to store', object: path, cause });
  }
}
