import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { selection } from './selection.ts';

test('every test file that is chosen for the virtual machine exists', () => {
  const files = selection.flatMap((pass) => pass.files);

  assert.deepEqual(files.filter((file) => !existsSync(path.join(import.meta.dirname, '../..', file))), []);
});
