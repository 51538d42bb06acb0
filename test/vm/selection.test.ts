import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { selection, selinuxSelection } from './selection.ts';

const all = [...selection, ...selinuxSelection];

const fileOf = (name: string): string => path.join(import.meta.dirname, '../..', name);

test('every test file that is chosen for the virtual machine exists', () => {
  const files = all.flatMap((pass) => pass.files);

  assert.deepEqual(files.filter((file) => !existsSync(fileOf(file))), []);
});

test('every name that is chosen of a file is that of a test in it', () => {
  const chosen = all.flatMap(({ files, tests }) => files.flatMap((file) => (tests?.split('|') ?? []).map((name) => ({ file, name }))));

  assert.deepEqual(chosen.filter(({ file, name }) => !new RegExp(`\\b(test|userTest)\\(['"\`].*${name}`).test(readFileSync(fileOf(file), 'utf8'))), []);
});
