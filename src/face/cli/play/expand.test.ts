import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandVariables } from './expand.ts';

test('variables are expanded as Kubernetes does it', () => {
  const values = new Map([['A', '1'], ['B', '$(A)'], ['EMPTY', '']]);
  const table: [string, string][] = [
    ['$(A)', '1'], ['x$(A)y$(A)', 'x1y1'], ['$(B)', '$(A)'], ['$$(A)', '$(A)'], ['$$$(A)', '$1'], ['$$$$', '$$'], ['$(NONE)', '$(NONE)'],
    ['$(EMPTY)', ''], ['$A', '$A'], ['$(A', '$(A'], ['$', '$'], ['a$', 'a$'], ['${A}', '${A}'],
  ];
  for (const [text, expanded] of table) assert.equal(expandVariables(text, values), expanded, text);
});
