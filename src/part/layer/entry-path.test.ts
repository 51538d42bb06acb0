import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseOf, normalName, parentOf, pathOf, textPathOf } from './entry-path.ts';

test('names lose what means nothing in them', () => {
  for (const [name, expected] of Object.entries({ 'a/b': 'a/b', './a/b/': 'a/b', '/a//b': 'a/b', 'a/./b': 'a/b', './': '', '.': '', '': '', '/': '', '..a/b..': '..a/b..', 'a/...': 'a/...' })) {
    assert.equal(normalName(name), expected, JSON.stringify(name));
  }
});

test('a name that climbs is refused', () => {
  for (const name of ['..', '../a', 'a/..', 'a/../b', '/../a', 'a/b/..']) assert.throws(() => normalName(name), /'\.\.' is refused/, name);
});

test('names are bytes: what is no UTF-8 goes to the kernel as it is', () => {
  assert.equal(pathOf('a/b'), '/a/b');
  assert.deepEqual(pathOf('\xff'), Buffer.from([0x2f, 0xff]));
  assert.equal(textPathOf(Buffer.from('é').toString('latin1')), '/é');
  assert.throws(() => textPathOf('\xff'), /must have a UTF-8 name/);
  assert.equal(parentOf('a/b/c'), 'a/b');
  assert.equal(parentOf('a'), '');
  assert.equal(baseOf('a/b'), 'b');
});
