import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForeignValue } from './foreign-value.ts';

const inside = (value: unknown, name: string): ForeignValue => new ForeignValue(value).members().get(name);

test('values are read by kind', () => {
  const value = new ForeignValue({ name: 'a', count: 3, on: true, list: ['x', 'y'] }).members();

  assert.equal(value.get('name').text(), 'a');
  assert.equal(value.get('count').integer(0, 5), 3);
  assert.equal(value.get('on').flag(), true);
  assert.deepEqual(value.get('list').texts(), ['x', 'y']);
  assert.deepEqual(value.names, ['name', 'count', 'on', 'list']);
});

test('what is absent is empty, or its fallback', () => {
  const absent = inside({}, 'x');

  assert.ok(absent.absent);
  assert.deepEqual(absent.items(), []);
  assert.deepEqual(absent.members().names, []);
  assert.equal(absent.textOr('f'), 'f');
  assert.equal(absent.integerOr(undefined, 0, 1), undefined);
  assert.equal(absent.flagOr(true), true);
  assert.equal(absent.oneOf(['x', 'y']), 'x');
  assert.ok(inside({ x: null }, 'x').absent);
  assert.ok(inside({}, 'constructor').absent, 'what every object inherits is no member');
});

test('what is of another kind is refused by its place', () => {
  assert.throws(() => inside({ a: 1 }, 'a').text(), { message: 'a: want a text, found 1' });
  assert.throws(() => inside({ a: 'x\0' }, 'a').text(), { message: 'a: want a text, found "x\\u0000"' });
  assert.throws(() => inside({ a: 'x' }, 'a').flag(), { message: 'a: want true or false, found "x"' });
  assert.throws(() => inside({ a: 1.5 }, 'a').integer(0, 9), { message: 'a: want a whole number from 0 to 9, found 1.5' });
  assert.throws(() => inside({ a: 10 }, 'a').integerOr(0, 0, 9), { message: 'a: want a whole number from 0 to 9, found 10' });
  assert.throws(() => inside({ a: {} }, 'a').items(), { message: 'a: want a list, found an object' });
  assert.throws(() => inside({ a: ['x', []] }, 'a').texts(), { message: 'a[1]: want a text, found a list' });
  assert.throws(() => inside({ a: 'z' }, 'a').oneOf(['x', 'y']), { message: 'a: want x or y, found "z"' });
  assert.throws(() => new ForeignValue([]).members(), { message: 'the document: want an object, found a list' });
  assert.throws(() => inside({}, 'a').text(), { message: 'a: want a text, found nothing' });
});

test('a member that nobody knows is refused where only known ones may be', () => {
  assert.throws(() => inside({ a: { b: 1, c: 2 } }, 'a').members(['b']), { message: 'a.c is not known: known are b' });
});
