import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Filters, isOn } from './query.ts';

const filters = (text: string) => new Filters(new URLSearchParams({ filters: text }), ['label', 'name']);

test('filters are read in both forms that clients send', () => {
  assert.deepEqual(filters('{"name":["a","b"]}').of('name'), ['a', 'b']);
  assert.deepEqual(filters('{"name":{"a":true,"b":false}}').of('name'), ['a']);
  assert.deepEqual(filters('').of('name'), []);
  assert.ok(filters('').any('name', () => false));
});

test('all labels have to fit, by name or with a value', () => {
  assert.ok(filters('{"label":["app","tier=a=b"]}').labels({ app: '', tier: 'a=b' }));
  assert.ok(!filters('{"label":["app","tier=x"]}').labels({ app: '', tier: 'y' }));
  assert.ok(!filters('{"label":["toString"]}').labels({}));
});

test('filters that mean nothing here are refused', () => {
  const refused = (text: string, why: string) => assert.throws(() => filters(text), { kind: 'invalid-argument', message: `read parameter filters: ${why}` });

  refused('{"nme":["a"]}', '"nme" is not known here: known are label, name');
  refused('[1]', 'want a JSON object such as {"label":["app=web"]}');
  refused('{', 'want a JSON object such as {"label":["app=web"]}');
  refused('{"name":"a"}', 'want {"name":["text"]}');
  refused('{"name":[1]}', 'the texts of "name" are no texts');
});

test('a parameter is on in any way that is no "no"', () => {
  for (const text of ['1', 'true', 'True', 'yes']) assert.ok(isOn(new URLSearchParams({ all: text }), 'all'), text);
  for (const text of ['', '0', 'false', 'no', 'None']) assert.ok(!isOn(new URLSearchParams({ all: text }), 'all'), text);
  assert.ok(!isOn(new URLSearchParams(), 'all'));
});
