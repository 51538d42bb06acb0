import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseStrictJson } from './strict-json.ts';

test('any JSON is read as JSON.parse reads it', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const text = JSON.stringify(value);
    assert.deepEqual(parseStrictJson(text), JSON.parse(text));
  }));
});

test('a key that stands twice in one object is refused, however it is spelled', () => {
  for (const text of ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"a":1,"c":[],"a":2}}]', '{"a\\"":1, "b":{}, "a\\"" :2}', '{"__proto__":1,"__proto__":2}']) {
    assert.throws(() => parseStrictJson(text), /stands twice in one object/, text);
  }
  for (const text of ['{"a":{"a":["a","a"]},"b":"a"}', '[{"a":1},{"a":2}]', '{"a":":","b":"{\\"a\\":1"}']) assert.doesNotThrow(() => parseStrictJson(text), text);
  assert.throws(() => parseStrictJson('{"a":1}x'), SyntaxError);
});
