/** Ids of pods and containers: 64 hex digits, as every tool around the CRI expects. People may give a unique prefix. */
import { createHmac, randomBytes } from 'node:crypto';
import { failure } from './errors.ts';

const form = /^[0-9a-f]{64}$/;

/** 192 random bits, then a mark of 64. */
const randomDigits = 48;

/**
 * Makes ids that carry a mark: the key of this installation decides it, so that what is found on the host under an id can be told
 * from what another runtime made, or another Gantry with other directories, long after nobody remembers the id.
 */
export class ObjectIds {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  make(): string {
    const head = randomBytes(randomDigits / 2).toString('hex');
    return head + this.#mark(head);
  }

  /** Whether an id was made with this key. */
  areOurs(id: string): boolean {
    return form.test(id) && id.slice(randomDigits) === this.#mark(id.slice(0, randomDigits));
  }

  #mark(head: string): string {
    return createHmac('sha256', this.#key).update(head).digest('hex').slice(0, 64 - randomDigits);
  }
}

/**
 * The record that a full id or a unique prefix of one names; undefined when there is none. An empty or ambiguous prefix:
 * invalid-argument. `what` names the kind of object in errors.
 */
export function findByIdPrefix<T extends { readonly id: string }>(records: { get(id: string): T | undefined; all(): T[] }, idOrPrefix: string, what: string): T | undefined {
  const exact = records.get(idOrPrefix);
  if (exact !== undefined || form.test(idOrPrefix)) return exact;
  if (idOrPrefix === '') throw failure('invalid-argument', { act: `find ${what}`, why: 'its id is empty' });
  const matches = records.all().filter((record) => record.id.startsWith(idOrPrefix));
  if (matches.length > 1) throw failure('invalid-argument', { act: `find ${what}`, object: idOrPrefix, why: `the prefix is ambiguous: ${matches.length} ids begin with it` });
  return matches[0];
}

/** As findByIdPrefix, but no match is not-found. */
export function getByIdPrefix<T extends { readonly id: string }>(records: { get(id: string): T | undefined; all(): T[] }, idOrPrefix: string, what: string): T {
  const record = findByIdPrefix(records, idOrPrefix, what);
  if (record === undefined) throw failure('not-found', { act: `find ${what}`, object: idOrPrefix, why: `no such ${what}` });
  return record;
}
