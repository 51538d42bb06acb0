/** JSON out of an image archive. */
import { badArchive } from './archive-index.ts';

/** Not JSON in UTF-8: failed-precondition, naming the entry. */
export function parseJson(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw badArchive('it is not JSON', name);
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
