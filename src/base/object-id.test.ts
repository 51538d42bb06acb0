import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from './errors.ts';
import { findByIdPrefix, getByIdPrefix, ObjectIds } from './object-id.ts';

const ids = ['a'.repeat(64), 'ab'.padEnd(64, '0'), 'b'.repeat(64)];
const records = { get: (id: string) => ids.filter((one) => one === id).map((one) => ({ id: one }))[0], all: () => ids.map((id) => ({ id })) };

test('an id or a unique prefix of it names one record', () => {
  assert.equal(findByIdPrefix(records, ids[0]!, 'pod')?.id, ids[0]);
  assert.equal(findByIdPrefix(records, 'b', 'pod')?.id, ids[2]);
  assert.equal(findByIdPrefix(records, 'c', 'pod'), undefined);
});

test('an ambiguous or empty prefix is refused', () => {
  assert.throws(() => findByIdPrefix(records, 'a', 'pod'), (error) => isKind(error, 'invalid-argument') && /find pod a: the prefix is ambiguous: 2 ids/.test(String(error)));
  assert.throws(() => findByIdPrefix(records, '', 'pod'), (error) => isKind(error, 'invalid-argument') && /its id is empty/.test(String(error)));
});

test('no match is not-found where one is needed', () => {
  assert.throws(() => getByIdPrefix(records, 'c', 'pod'), (error) => isKind(error, 'not-found') && /find pod c: no such pod/.test(String(error)));
});

test('ids are 64 hex digits and differ', () => {
  const made = new ObjectIds('key');

  assert.match(made.make(), /^[0-9a-f]{64}$/);
  assert.notEqual(made.make(), made.make());
});

test('ids of this installation are told from those of others', () => {
  const [ours, theirs] = [new ObjectIds('our key'), new ObjectIds('their key')];
  const id = ours.make();

  assert.ok(new ObjectIds('our key').areOurs(id));
  assert.ok(!ours.areOurs(theirs.make()));
  assert.ok(!ours.areOurs('a'.repeat(64)));
  assert.ok(!ours.areOurs(id.slice(1)));
  assert.ok(!ours.areOurs(`${id}\n`));
});
