/** Ids of pods and containers: 64 hex digits, as every tool around the CRI expects. People may give a unique prefix. */
import { randomBytes } from 'node:crypto';
import { failure } from './errors.ts';

const form = /^[0-9a-f]{64}$/;

export function newObjectId(): string {
  return randomBytes(32).toString('hex');
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
