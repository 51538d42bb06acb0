import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gvisorExceptions, gvisorFiles } from './gvisor-exceptions.ts';

test('every test that gVisor is let off is one that exists, so that a renamed one is not left out for ever', () => {
  const repository = path.join(import.meta.dirname, '../..');
  const files = globSync('{src,test}/**/*.{test,suite}.ts', { cwd: repository }).filter((file) => /^test\/node\/|\.suite\.ts$/.test(file));
  const text = files.map((file) => readFileSync(path.join(repository, file), 'utf8')).join('\n').replaceAll('\\\'', '\'');

  assert.deepEqual(gvisorExceptions.filter((exception) => !text.includes(exception.test)).map((exception) => exception.test), []);
  assert.deepEqual(gvisorFiles.filter(({ file }) => !files.includes(file)), []);
});
