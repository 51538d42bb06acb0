import assert from 'node:assert/strict';
import { test } from 'node:test';
import { npmScripts, sentences } from './help.ts';

test('every npm script has its sentence in the help, and every sentence its script', () => {
  assert.deepEqual(Object.keys(sentences).sort(), npmScripts().sort());
});
