/**
 * Reading cgroup files: kernel memory, so synchronous reads are right. A cgroup can vanish at any moment; then a file has
 * no value (undefined), which is no error.
 */
import { readFileSync } from 'node:fs';

/** Reads one file's text; undefined when it or its cgroup is not there. */
export interface CgroupFiles {
  text(path: string): string | undefined;
}

export const hostCgroupFiles: CgroupFiles = {
  text(path) {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return undefined; // ENOENT, ENODEV (removed while open), EOPNOTSUPP (pressure files without PSI)
    }
  },
};

/** A file that holds one number; `max` and anything else that is no number is undefined. */
export function parseNumber(text: string | undefined): bigint | undefined {
  const word = text?.trim();
  return word !== undefined && /^\d+$/.test(word) ? BigInt(word) : undefined;
}

/** `key value` lines, as in memory.stat. */
export function parseFlatKeyed(text: string | undefined): ReadonlyMap<string, bigint> {
  const values = new Map<string, bigint>();
  for (const line of (text ?? '').split('\n')) {
    const [key, word] = line.split(' ');
    const value = parseNumber(word);
    if (key !== undefined && value !== undefined) values.set(key, value);
  }
  return values;
}
